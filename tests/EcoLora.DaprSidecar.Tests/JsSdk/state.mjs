// The SDK as a client: state on Redis, metadata, health, secrets, the token, shutdown.
import assert from "node:assert/strict";
import { StateConcurrencyEnum, StateConsistencyEnum } from "@dapr/dapr";
import { check, newClient, refusal, rejection, runAll, until } from "./report.mjs";

const client = newClient("DAPR_PORT", process.env.TOKEN);
const state = client.state;
const store = "statestore";
const firstWrite = { concurrency: StateConcurrencyEnum.CONCURRENCY_FIRST_WRITE };
const lastWrite = { concurrency: StateConcurrencyEnum.CONCURRENCY_LAST_WRITE };
const save = async (key, value, more = {}) => (await state.save(store, [{ key, value, ...more }])).error;
const etagOf = async (key) => (await state.getBulk(store, [key]))[0].etag;

check("values of all kinds come back", async () => {
  const values = {
    text: "ä \"<&>\" \u2028", digits: "007", whole: 7, negative: -1, real: 0.5, yes: true, no: false, list: [1, "a", [null]], nested: { a: { b: [] } },
  };
  for (const [key, value] of Object.entries(values)) {
    assert.equal(await save(`kind-${key}`, value), undefined);
    // The SDK takes any answer for JSON, and a stored text is JSON.
    assert.deepEqual(await state.get(store, `kind-${key}`), value);
  }
});

check("an absent key reads as an empty text", async () => assert.equal(await state.get(store, "absent"), ""));

check("a null is a value", async () => {
  await save("null", null);
  assert.equal(await state.get(store, "null"), null);
  assert.equal(await etagOf("null"), "1");
});

check("a key with special characters is one key", async () => {
  await save("a:b c|d-ä", 1);
  assert.equal(await state.get(store, encodeURIComponent("a:b c|d-ä")), 1);
});

check("a key with two bars is refused", async () => assert.equal(refusal(await save("a||b", 1))[0], 400));

check("numbers keep six decimals", async () => {
  await save("pi", [Math.PI, 1e-7, 83886081.1234567, 2 ** 53 + 2]);
  assert.deepEqual(await state.get(store, "pi"), [3.141593, 0, 83886081.1234567, 2 ** 53 + 2]);
});

check("several keys are saved and read at once", async () => {
  assert.deepEqual(await state.save(store, ["m1", "m2", "m3"].map((key, i) => ({ key, value: i }))), {});
  assert.deepEqual(await state.getBulk(store, ["m3", "m1", "m0"], { parallelism: 2 }),
    [{ key: "m3", data: 2, etag: "1" }, { key: "m1", data: 0, etag: "1" }, { key: "m0" }]);
});

check("a save with the right etag replaces, with another it is 409", async () => {
  await save("etag", 1);
  assert.equal(await save("etag", 2, { etag: "1" }), undefined);
  assert.deepEqual(refusal(await save("etag", 3, { etag: "1" })), [409, "ERR_STATE_SAVE"]);
  assert.equal(await state.get(store, "etag"), 2);
});

check("a last-write asks for no etag", async () => {
  await save("last", 1);
  assert.equal(await save("last", 2, { etag: "7", options: lastWrite }), undefined);
  assert.equal(await state.get(store, "last"), 2);
});

check("an etag that is no number is 400", async () => assert.equal(refusal(await save("odd", 1, { etag: "x" }))[0], 400));

check("a second first-write is 500 and the key stays bound", async () => {
  assert.equal(await save("first", 1, { options: firstWrite }), undefined);
  assert.deepEqual(refusal(await save("first", 2, { options: firstWrite })), [500, "ERR_STATE_SAVE"]);
  assert.deepEqual(refusal(await save("first", 2)), [500, "ERR_STATE_SAVE"]);
  assert.equal(await save("first", 3, { etag: await etagOf("first"), options: firstWrite }), undefined);
  assert.equal(await state.get(store, "first"), 3);
});

check("of racing first-writes one wins", async () => {
  const errors = await Promise.all(Array.from({ length: 10 }, (_, i) => save("race", i, { options: firstWrite })));
  assert.equal(errors.filter((e) => e === undefined).length, 1);
  assert.equal(await state.get(store, "race"), errors.indexOf(undefined));
});

check("a deletion with the right etag deletes, with another it is 409", async () => {
  await save("gone", 1);
  assert.deepEqual(refusal((await state.delete(store, "gone", { etag: "7", ...firstWrite })).error), [409, "ERR_STATE_DELETE"]);
  assert.deepEqual(await state.delete(store, "gone", { etag: "1", consistency: StateConsistencyEnum.CONSISTENCY_STRONG }), {});
  assert.equal(await state.get(store, "gone"), "");
  assert.deepEqual(await state.delete(store, "gone"), {});
});

check("a transaction upserts and deletes", async () => {
  await save("t-old", 1);
  await state.transaction(store, [
    { operation: "upsert", request: { key: "t-new", value: { a: 1 } } }, { operation: "delete", request: { key: "t-old" } },
  ]);
  assert.deepEqual(await state.get(store, "t-new"), { a: 1 });
  assert.equal(await state.get(store, "t-old"), "");
});

check("a transaction that is refused in part is 500 and has happened in part", async () => {
  await save("p1", 1);
  const error = await rejection(state.transaction(store, [
    { operation: "upsert", request: { key: "p2", value: 2 } }, { operation: "upsert", request: { key: "p1", value: 2, etag: "7" } },
  ]));
  assert.deepEqual(refusal(error), [500, "ERR_STATE_TRANSACTION"]);
  assert.deepEqual([await state.get(store, "p1"), await state.get(store, "p2")], [1, 2]);
});

check("a value with a time to live goes", async () => {
  await save("short", 1, { metadata: { ttlInSeconds: "1" } });
  await until("the value is gone", async () => (await state.get(store, "short")) === "");
});

check("an unknown store is 400", async () => {
  assert.equal(refusal((await state.save("nowhere", [{ key: "a", value: 1 }])).error)[0], 400);
  assert.equal(refusal(await rejection(state.get("nowhere", "a")))[0], 400);
});

check("metadata say who this is and keep what is set", async () => {
  assert.equal(await client.metadata.set("mood", "good"), true);
  const metadata = await client.metadata.get();
  assert.equal(metadata.id, "js-state");
  assert.equal(metadata.extended.mood, "good");
  assert.deepEqual(metadata.components.map((c) => `${c.name}/${c.type}`).sort(),
    ["pubsub/pubsub.redis", "secretstore/secretstores.local.env", "statestore/state.redis"]);
});

check("the sidecar is healthy", async () => assert.equal(await client.health.isHealthy(), true));

check("secrets are read one by one and all at once", async () => {
  const name = process.env.SECRET_NAME;
  assert.deepEqual(await client.secret.get("secretstore", name), { [name]: "a secret" });
  assert.deepEqual((await client.secret.getBulk("secretstore"))[name], { [name]: "a secret" });
});

check("an unknown secret store is 401", async () => assert.equal(refusal(await rejection(client.secret.get("nowhere", "a")))[0], 401));

check("without the token nothing is answered", async () => {
  const stranger = newClient("DAPR_PORT");
  assert.equal(await stranger.daprClient.execute("/metadata", null, false).then(() => "answered", (e) => JSON.parse(e.message).status), 401);
});

check("a shutdown ends the sidecar", async () => {
  const other = newClient("SHUTDOWN_PORT");
  await other.sidecar.shutdown();
  await until("the sidecar is gone", async () => !(await other.health.isHealthy()));
});

await runAll();
