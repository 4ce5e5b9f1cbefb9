// The built-in bootstrap for Node.js: serves the Lambda Runtime API to one handler. Standard library only.
import http from "node:http";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const request = http.request({ host, port, agent, method, headers, path: `/2018-06-01/runtime/${path}` }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    request.setNoDelay(true);
    request.on("error", () => process.exit(1)); // The gateway is gone.
    request.end(body);
  });
}

function report(error) {
  const { name = "Error", message = String(error), stack = "" } = error instanceof Error ? error : {};
  return JSON.stringify({ errorType: name, errorMessage: message, stackTrace: stack.split("\n").slice(1) });
}

// What AWS's own runtime gives to functions that stream their replies.
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = "response";
    if (options?.highWaterMark !== undefined) handler[HIGH_WATER_MARK] = Number(options.highWaterMark);
    return handler;
  },
  HttpResponseStream: class {
    // The head goes before the first chunk, and ends with eight zero bytes.
    static from(stream, head) {
      stream.setContentType("application/vnd.awslambda.http-integration-response");
      stream._onBeforeFirstWrite = (write) => {
        write(JSON.stringify(head));
        write(new Uint8Array(8));
      };
      return stream;
    }
  },
};

// The reply of one invocation: its request begins with the first chunk, and goes on as the handler writes.
class ResponseStream extends Writable {
  #type = "application/octet-stream";
  #path;
  #request;
  #answered = deferred();

  constructor(id, highWaterMark) {
    super(highWaterMark === undefined ? {} : { highWaterMark });
    this.#path = `/2018-06-01/runtime/invocation/${id}/response`;
    this.on("error", () => {}); // A handler that writes on after a failure is not the process's end.
  }

  setContentType(type) {
    this.#type = type;
  }

  get begun() {
    return this.#request !== undefined;
  }

  #begin() {
    if (this.begun) return;
    const headers = {
      "content-type": this.#type,
      "lambda-runtime-function-response-mode": "streaming",
      "transfer-encoding": "chunked",
      trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    };
    this.#request = http.request({ host, port, agent, method: "POST", headers, path: this.#path }, (response) => {
      response.resume();
      response.on("end", this.#answered.resolve);
    });
    this.#request.setNoDelay(true);
    this.#request.on("error", () => process.exit(1)); // The gateway is gone.
    this._onBeforeFirstWrite?.((chunk) => this.#request.write(chunk));
  }

  _write(chunk, _encoding, done) {
    this.#begin();
    if (this.#request.write(chunk)) done();
    else this.#request.once("drain", done);
  }

  _final(done) {
    this.#begin();
    this.#request.end(done);
  }

  // Tells by trailers that what was sent is not the whole reply.
  fail(error) {
    if (this.#request.writableEnded) return;
    const document = report(error);
    this.#request.addTrailers({
      "Lambda-Runtime-Function-Error-Type": JSON.parse(document).errorType,
      "Lambda-Runtime-Function-Error-Body": Buffer.from(document).toString("base64"),
    });
    this.#request.end();
    this.destroy();
  }

  answered() {
    return this.#answered.promise;
  }
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

// A handler that streams is done when its promise is, and the stream has ended.
async function runStreaming(handler, event, context, id) {
  const stream = new ResponseStream(id, handler[HIGH_WATER_MARK]);
  const ended = new Promise((resolve, reject) => {
    stream.once("finish", resolve);
    stream.once("error", reject);
    stream.once("close", () => reject(new Error("the stream of the reply was closed before its end")));
  });
  ended.catch(() => {});
  try {
    await Promise.all([handler(event, stream, context), ended]);
  } catch (error) {
    if (!stream.begun) throw error;
    console.error(error);
    stream.fail(error);
  }
  await stream.answered();
}

async function load() {
  const handler = process.env._HANDLER;
  const dot = handler.lastIndexOf(".");
  const [file, name] = [handler.slice(0, dot), handler.slice(dot + 1)];
  const base = resolve(process.env.LAMBDA_TASK_ROOT, file);
  const path = [".mjs", ".js", ".cjs"].map((extension) => base + extension).find(existsSync);
  if (path === undefined) throw new Error(`there is no ${base}.mjs, .js or .cjs`);
  const module = await import(pathToFileURL(path));
  const found = module[name] ?? module.default?.[name];
  if (typeof found !== "function") throw new Error(`${path} exports no function ${JSON.stringify(name)}`);
  return found;
}

function context(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
  };
}

// A handler gives a promise, or takes a callback as its third parameter.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const result = handler(event, context, (error, value) => (error ? reject(error) : resolve(value)));
    if (typeof result?.then === "function") result.then(resolve, reject);
    else if (handler.length < 3) resolve(result);
  });
}

let handler;
try {
  handler = await load();
} catch (error) {
  console.error(error);
  await call("POST", "init/error", report(error));
  process.exit(1);
}
for (;;) {
  const next = await call("GET", "invocation/next");
  if (next.status !== 200) process.exit(0);
  const id = next.headers["lambda-runtime-aws-request-id"];
  process.env._X_AMZN_TRACE_ID = next.headers["lambda-runtime-trace-id"] ?? "";
  let path = `invocation/${id}/response`;
  let reply;
  try {
    if (handler[STREAMING] !== undefined) {
      await runStreaming(handler, JSON.parse(next.body), context(next.headers), id);
      continue;
    }
    reply = JSON.stringify(await run(handler, JSON.parse(next.body), context(next.headers))) ?? "null";
  } catch (error) {
    path = `invocation/${id}/error`;
    reply = report(error);
  }
  await call("POST", path, reply);
}
