// What all scripts share: each check is one line of JSON on the standard output, which the C# test reads.
import assert from "node:assert/strict";
import { CommunicationProtocolEnum, DaprClient, DaprServer, LogLevel } from "@dapr/dapr";

const LIMIT_MS = 15_000;
const logger = { level: LogLevel.Error };
const checks = [];

/** Registers a check. The C# test finds its name in this call, so it is written out in double quotation marks. */
export function check(name, run) {
  checks.push({ name, run });
}

/** Runs all checks at once (each has keys and topics of its own), then ends the process. */
export async function runAll() {
  await Promise.all(checks.map(async ({ name, run }) => {
    try {
      await run();
      console.log(JSON.stringify({ check: name, failure: null }));
    } catch (error) {
      console.log(JSON.stringify({ check: name, failure: String(error?.stack ?? error) }));
    }
  }));
  process.exit(0);
}

/** Asks again until the answer is truthy; its value. */
export async function until(what, condition) {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The status and the error code in what the SDK makes of a refusal. */
export function refusal(error) {
  assert.ok(error, "expected a refusal, found success");
  const { status, error_msg: body } = JSON.parse(error.message);
  return [status, JSON.parse(body).errorCode];
}

/** The refusal of a call that rejects. */
export async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return null;
}

export function newClient(portVariable, daprApiToken) {
  return new DaprClient({
    daprHost: "127.0.0.1", daprPort: process.env[portVariable], communicationProtocol: CommunicationProtocolEnum.HTTP, logger, daprApiToken,
  });
}

export function newServer(appPortVariable, daprPortVariable) {
  return new DaprServer({
    serverHost: "127.0.0.1",
    serverPort: process.env[appPortVariable],
    communicationProtocol: CommunicationProtocolEnum.HTTP,
    clientOptions: { daprHost: "127.0.0.1", daprPort: process.env[daprPortVariable] },
    logger,
  });
}
