// The SDK as two servers, each with a sidecar of its own: each invokes the other's methods.
import assert from "node:assert/strict";
import { HttpMethod } from "@dapr/dapr";
import { check, newServer, refusal, rejection, runAll } from "./report.mjs";

const one = newServer("APP_PORT_1", "DAPR_PORT_1");
const two = newServer("APP_PORT_2", "DAPR_PORT_2");
for (const [server, name] of [[one, "one"], [two, "two"]]) {
  await server.invoker.listen("who", async () => ({ name }));
  for (const method of [HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE])
    await server.invoker.listen("echo", async (data) => ({ name, method, body: data.body, type: data.metadata.contentType }), { method });
  await server.invoker.listen("deep/path", async (data) => ({ query: data.query, mine: data.headers["x-mine"], caller: data.headers["dapr-caller-app-id"] }));
  const app = server.daprServer.getServer();
  app.get("/teapot", (_, response) => response.status(418).json({ errorCode: "TEAPOT" }));
  app.post("/bytes", (request, response) => response.json([...request.body]));
  await server.start();
}
const invoker = one.client.invoker;

check("a method of the other app answers", async () => assert.deepEqual(await invoker.invoke("js-two", "who", HttpMethod.GET), { name: "two" }));

check("the other app invokes back", async () => assert.deepEqual(await two.client.invoker.invoke("js-one", "who", HttpMethod.GET), { name: "one" }));

check("an app invokes itself through its sidecar", async () => assert.deepEqual(await invoker.invoke("js-one", "who", HttpMethod.GET), { name: "one" }));

check("methods and bodies pass", async () => {
  for (const method of [HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE])
    assert.deepEqual(await invoker.invoke("js-two", "echo", method, { text: "ä", list: [1] }),
      { name: "two", method, body: '{"text":"ä","list":[1]}', type: "application/json" });
});

check("a text passes as text", async () => assert.deepEqual(await invoker.invoke("js-two", "echo", HttpMethod.POST, "plain"),
  { name: "two", method: "post", body: '"plain"', type: "text/plain" }));

check("paths, queries and headers pass", async () =>
  assert.deepEqual(await invoker.invoke("js-two", "deep/path?a=b%20c", HttpMethod.GET, undefined, { headers: { "x-mine": "7" } }),
    { query: "/deep/path?a=b%20c", mine: "7", caller: "js-one" }));

check("all bytes pass", async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  assert.deepEqual(await invoker.invoke("js-two", "bytes", HttpMethod.POST, bytes), [...bytes]);
});

check("the app's own status passes", async () => assert.deepEqual(refusal(await rejection(invoker.invoke("js-two", "teapot", HttpMethod.GET))), [418, "TEAPOT"]));

check("an unknown method is the app's 404", async () =>
  assert.equal(JSON.parse((await rejection(invoker.invoke("js-two", "nothing", HttpMethod.GET))).message).status, 404));

check("an unknown app is 500", async () =>
  assert.deepEqual(refusal(await rejection(invoker.invoke("js-nobody", "who", HttpMethod.GET))), [500, "ERR_DIRECT_INVOKE"]));

await runAll();
