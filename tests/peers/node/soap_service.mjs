// A SOAP service of any WSDL, by npm's soap, at /service of a port of 127.0.0.1:
//
//   node soap_service.mjs NODE_MODULES PORT WSDL
//
// Its operations answer what next.json says, {"reply": ...} or {"fault": ...} in the library's own form, and leave what they
// were given in last.json, {"operation", "input"}, both in the current folder.

import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";

const [modules, port, wsdl] = process.argv.slice(2);
const soap = createRequire(`${modules}/`)("soap");

const work = (operation) => (input) => {
  fs.writeFileSync("last.json", JSON.stringify({ operation, input }));
  const { fault, reply = {} } = fs.existsSync("next.json") ? JSON.parse(fs.readFileSync("next.json")) : {};
  if (fault) throw { Fault: fault };
  return reply;
};

// The library asks for services[service][port][operation].
const any = (made) => new Proxy({}, { get: (_, name) => made(String(name)) });
const services = any(() => any(() => any(work)));

const server = http.createServer((_, response) => response.writeHead(404).end());
// The port is open once the WSDL has been read, with what it imports.
const tell = () => console.log(`listening on http://127.0.0.1:${port}`);
const callback = () => server.listen(Number(port), "127.0.0.1", tell);
soap.listen(server, { path: "/service", services, xml: fs.readFileSync(wsdl, "utf8"), uri: wsdl, callback });
