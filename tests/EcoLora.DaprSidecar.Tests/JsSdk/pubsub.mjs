// The SDK as a server with one sidecar and as a client with another: what one publishes the other gets, over the broker behind both.
import assert from "node:assert/strict";
import { DaprPubSubStatusEnum } from "@dapr/dapr";
import { check, newClient, newServer, refusal, runAll, until } from "./report.mjs";

const server = newServer("APP_PORT", "DAPR_PORT");
const pubsub = newClient("PUBLISHER_PORT").pubsub;
const topics = [];
const allBytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

// Bodies as they come: the SDK's callbacks get only the data, and bytes as text.
const bodies = [];
server.daprServer.getServer().use((request, _, next) => {
  if (request.method === "POST") bodies.push(request.body);
  next();
});
const bodiesOf = (topic) => bodies.filter((b) => b?.topic === topic);

/** Subscribes; the list grows with what comes. A status may be told for each. */
async function subscribe(topic, options = {}, status = () => DaprPubSubStatusEnum.SUCCESS) {
  const got = [];
  topics.push(topic);
  await server.pubsub.subscribeWithOptions("pubsub", topic, {
    ...options,
    callback: async (data, headers) => {
      got.push({ data, headers });
      return status(data, got.length);
    },
  });
  return got;
}

async function publish(topic, data, options) {
  assert.equal((await pubsub.publish("pubsub", topic, data, options)).error, undefined);
}

const come = (got, count) => until(`${count} messages`, () => got.length >= count && got);

const kinds = await subscribe("kinds");
check("texts, objects, lists and bytes arrive", async () => {
  const sent = ["ä text", { a: { b: [1, 2] } }, [1, "two"], Buffer.from("some bytes")];
  for (const data of sent) await publish("kinds", data);
  const got = (await come(kinds, sent.length)).map((g) => JSON.stringify(g.data)).sort();
  assert.deepEqual(got, ["ä text", { a: { b: [1, 2] } }, [1, "two"], "some bytes"].map((d) => JSON.stringify(d)).sort());
});

const headed = await subscribe("headed");
check("the event says where it comes from", async () => {
  await publish("headed", { n: 1 });
  const [{ headers }] = await come(headed, 1);
  assert.equal(headers.pubsubname, "pubsub");
  assert.equal(headers["content-type"], "application/cloudevents+json");
  const [event] = bodiesOf("headed");
  assert.deepEqual([event.source, event.type, event.specversion, event.pubsubname, event.datacontenttype],
    ["js-publisher", "com.dapr.event.sent", "1.0", "pubsub", "application/json"]);
});

const typed = await subscribe("typed");
check("a content type decides over what is in the envelope", async () => {
  await publish("typed", '{"n":1}', { contentType: "text/plain" });
  const [{ data }] = await come(typed, 1);
  assert.equal(data, '{"n":1}');
  assert.equal(bodiesOf("typed")[0].datacontenttype, "text/plain");
});

const own = await subscribe("own-event");
check("an event of the app's own arrives as its own", async () => {
  await publish("own-event", { id: "7", source: "me", type: "mine", specversion: "1.0", data: { n: 1 } });
  assert.deepEqual((await come(own, 1))[0].data, { n: 1 });
  assert.deepEqual([bodiesOf("own-event")[0].id, bodiesOf("own-event")[0].type], ["7", "mine"]);
});

const overridden = await subscribe("overridden");
check("metadata replace members of the envelope", async () => {
  await publish("overridden", "x", { metadata: { "cloudevent.id": "8", "cloudevent.type": "other" } });
  await come(overridden, 1);
  assert.deepEqual([bodiesOf("overridden")[0].id, bodiesOf("overridden")[0].type], ["8", "other"]);
});

const enveloped = await subscribe("enveloped-bytes");
check("enveloped bytes are the same bytes", async () => {
  await publish("enveloped-bytes", allBytes);
  await come(enveloped, 1);
  assert.deepEqual(Buffer.from(bodiesOf("enveloped-bytes")[0].data_base64, "base64"), allBytes);
});

const raw = await subscribe("raw-bytes", { metadata: { rawPayload: true } });
check("raw octet-stream bytes are the same bytes", async () => {
  await publish("raw-bytes", allBytes, { contentType: "application/octet-stream", metadata: { rawPayload: true } });
  await come(raw, 1);
  assert.deepEqual(Buffer.from(bodiesOf("raw-bytes")[0].data_base64, "base64"), allBytes);
  // What the SDK hands to the callback is a text: bytes that are not UTF-8 are lost there.
  assert.equal(raw[0].data, allBytes.toString());
});

const rawJson = await subscribe("raw-json", { metadata: { rawPayload: true } });
check("raw JSON comes back as an object", async () => {
  await publish("raw-json", { n: [1] }, { metadata: { rawPayload: true } });
  assert.deepEqual((await come(rawJson, 1))[0].data, { n: [1] });
});

const large = await subscribe("large");
check("a text of a mebibyte arrives", async () => {
  await publish("large", "ä".repeat(1 << 19));
  assert.equal((await come(large, 1))[0].data.length, 1 << 19);
});

const slashed = await subscribe("with/slash.and-dot");
check("a topic with slashes and dots is one topic", async () => {
  await publish("with/slash.and-dot", "x");
  assert.equal((await come(slashed, 1))[0].data, "x");
});

const expiring = await subscribe("expiring");
check("a message with a time to live arrives in time", async () => {
  await publish("expiring", "x", { metadata: { ttlInSeconds: 60 } });
  assert.equal((await come(expiring, 1))[0].data, "x");
});

const again = await subscribe("again", {}, (_, count) => (count < 3 ? DaprPubSubStatusEnum.RETRY : DaprPubSubStatusEnum.SUCCESS));
check("RETRY brings the message again", async () => {
  await publish("again", "x");
  assert.deepEqual((await come(again, 3)).map((g) => g.data), ["x", "x", "x"]);
});

const dropped = await subscribe("dropped", { deadLetterTopic: "dropped.dead" }, () => DaprPubSubStatusEnum.DROP);
const buried = await subscribe("dropped.dead");
check("DROP makes a dead letter", async () => {
  await publish("dropped", { n: 1 });
  assert.deepEqual((await come(buried, 1))[0].data, { n: 1 });
  assert.equal(dropped.length, 1);
});

const unheard = await subscribe("thrown", { deadLetterTopic: "thrown.dead" }, () => { throw new Error("on purpose"); });
const thrownDead = await subscribe("thrown.dead");
check("a callback that throws is taken as SUCCESS by the SDK", async () => {
  await publish("thrown", "x");
  await publish("thrown", "y");
  await come(unheard, 2);
  assert.equal(thrownDead.length, 0);
});

const rules = { default: "rest", rules: [{ match: 'event.type == "a"', path: "as" }, { match: "event.data.n > 5 && has(event.data.n)", path: "many" }] };
const routed = { as: [], many: [], rest: [] };
topics.push("routed");
await server.pubsub.subscribeWithOptions("pubsub", "routed", { route: rules });
for (const [route, got] of Object.entries(routed)) server.pubsub.subscribeToRoute("pubsub", "routed", route, async (data) => { got.push(data); });
check("rules decide the route", async () => {
  await publish("routed", { n: 1 }, { metadata: { "cloudevent.type": "a" } });
  await publish("routed", { n: 6 });
  await publish("routed", { n: 2 });
  await until("each route has one", () => Object.values(routed).every((got) => got.length === 1));
  assert.deepEqual(routed, { as: [{ n: 1 }], many: [{ n: 6 }], rest: [{ n: 2 }] });
});

async function subscribeBulk(topic, options, status) {
  const got = [];
  topics.push(topic);
  await server.pubsub.subscribeBulk("pubsub", topic, async (data, metadata) => {
    got.push(data);
    return status(data, got, metadata);
  }, { maxMessagesCount: 10, maxAwaitDurationMs: 200, ...options });
  return got;
}

const bundled = await subscribeBulk("bundled", {}, () => DaprPubSubStatusEnum.SUCCESS);
check("bulk messages arrive in bulk and each is answered", async () => {
  const sent = Array.from({ length: 25 }, (_, n) => ({ n }));
  assert.deepEqual(await pubsub.publishBulk("pubsub", "bundled", sent), { failedMessages: [] });
  await come(bundled, 25);
  assert.deepEqual(bundled.map((d) => d.n).sort((a, b) => a - b), sent.map((d) => d.n));
  const sizes = bodiesOf("bundled").map((b) => b.entries.length);
  assert.ok(Math.max(...sizes) > 1 && Math.max(...sizes) <= 10, `sizes ${sizes}`);
  assert.equal(bodiesOf("bundled")[0].type, "com.dapr.event.sent.bulk");
});

const bulkAgain = await subscribeBulk("bulk-again", {}, (data, got) =>
  data === "odd" && got.filter((d) => d === "odd").length < 3 ? DaprPubSubStatusEnum.RETRY : DaprPubSubStatusEnum.SUCCESS);
check("of a bundle only what is wanted again comes again", async () => {
  await pubsub.publishBulk("pubsub", "bulk-again", ["even", "odd"]);
  await come(bulkAgain, 4);
  assert.deepEqual([...bulkAgain].sort(), ["even", "odd", "odd", "odd"]);
});

const bulkDropped = await subscribe("bulk-dropped.dead");
topics.push("bulk-dropped");
server.daprServer.getServerImpl().registerPubsubSubscription("pubsub", "bulk-dropped",
  { deadLetterTopic: "bulk-dropped.dead", bulkSubscribe: { enabled: true, maxMessagesCount: 2, maxAwaitDurationMs: 200 } });
server.pubsub.subscribeToRoute("pubsub", "bulk-dropped", "", async (data) => (data === "bad" ? DaprPubSubStatusEnum.DROP : DaprPubSubStatusEnum.SUCCESS));
check("of a bundle only what is dropped is a dead letter", async () => {
  await pubsub.publishBulk("pubsub", "bulk-dropped", ["good", "bad"]);
  assert.deepEqual((await come(bulkDropped, 1)).map((g) => g.data), ["bad"]);
});

const bulkRaw = await subscribeBulk("bulk-raw", { metadata: { rawPayload: true } }, () => DaprPubSubStatusEnum.SUCCESS);
check("raw bytes in bulk are the same bytes", async () => {
  const entry = { entryID: "1", event: allBytes.toString("base64"), contentType: "application/octet-stream" };
  assert.deepEqual(await pubsub.publishBulk("pubsub", "bulk-raw", [entry], { rawPayload: true }), { failedMessages: [] });
  await come(bulkRaw, 1);
  assert.deepEqual(Buffer.from(bodiesOf("bulk-raw")[0].entries[0].event, "base64"), allBytes);
});

const entries = await subscribe("bulk-entries");
check("a bulk publish takes entries of every type", async () => {
  const sent = [
    { event: "text", contentType: "text/plain" }, { entryID: "mine", event: { n: 1 }, contentType: "application/json", metadata: { "cloudevent.type": "e" } },
    { event: { id: "9", source: "s", type: "t", specversion: "1.0", data: "own" } }, "plain", { n: 2 },
  ];
  assert.deepEqual(await pubsub.publishBulk("pubsub", "bulk-entries", sent), { failedMessages: [] });
  const got = (await come(entries, 5)).map((g) => JSON.stringify(g.data)).sort();
  assert.deepEqual(got, ["text", { n: 1 }, "own", "plain", { n: 2 }].map((d) => JSON.stringify(d)).sort());
  assert.ok(bodiesOf("bulk-entries").some((b) => b.type === "e" && b.data.n === 1));
});

check("a bulk publish that does not fit its types fails as a whole", async () => {
  const { failedMessages } = await pubsub.publishBulk("pubsub", "unfit", [{ event: { n: 1 }, contentType: "text/plain" }, "fine"]);
  assert.equal(failedMessages.length, 2);
  assert.equal(JSON.parse(failedMessages[0].error.message).status, 400);
});

check("a bulk publish with one id twice fails as a whole", async () => {
  const { failedMessages } = await pubsub.publishBulk("pubsub", "twice", ["a", "b"].map((event) => ({ entryID: "1", event })));
  assert.equal(failedMessages.length, 2);
});

check("an unknown component is 404", async () => {
  assert.deepEqual(refusal((await pubsub.publish("nowhere", "t", "x")).error), [404, "ERR_PUBSUB_NOT_FOUND"]);
  assert.equal((await pubsub.publishBulk("nowhere", "t", ["x"])).failedMessages.length, 1);
});

check("a topic out of scope is 403", async () => {
  assert.deepEqual(refusal((await pubsub.publish("scoped", "closed", "x")).error), [403, "ERR_PUBSUB_FORBIDDEN"]);
  assert.deepEqual(await pubsub.publish("scoped", "open", "x"), {});
});

check("a message over the limit is 500", async () =>
  assert.equal(refusal((await pubsub.publish("pubsub", "large", "x".repeat((4 << 20) + 1))).error)[0], 500));

check("a rawPayload that is no truth value is 400", async () =>
  assert.equal(refusal((await pubsub.publish("pubsub", "large", "x", { metadata: { rawPayload: "perhaps" } })).error)[0], 400));

check("the metadata list the subscriptions", async () => {
  const { subscriptions } = await server.client.metadata.get();
  const routedOne = subscriptions.find((s) => s.topic === "routed");
  assert.deepEqual(routedOne.rules, [
    { match: rules.rules[0].match, path: "/pubsub--routed--as" }, { match: rules.rules[1].match, path: "/pubsub--routed--many" }, { path: "/pubsub--routed--rest" },
  ]);
  assert.equal(routedOne.type, "PROGRAMMATIC");
  assert.equal(subscriptions.find((s) => s.topic === "dropped").deadLetterTopic, "dropped.dead");
});

await server.start();
await until("all topics are subscribed", async () => {
  const { subscriptions = [] } = await server.client.metadata.get();
  return topics.every((topic) => subscriptions.some((s) => s.topic === topic));
});
await runAll();
