// Serves the page below /example/ and passes everything else on to a gateway, so that both have one
// origin: `serve.js GATEWAY [PORT]`. What a reverse proxy does in earnest; it listens on loopback alone.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, request as ask } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const USAGE = "usage: serve.js GATEWAY [PORT], such as serve.js http://127.0.0.1:8080 8000";

/** The folder of the package, which has `build` with this program in it. */
const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
};

/** The page's own policy is in it; this is what a page cannot say of itself. */
const HEADERS = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy": "frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

const [gateway = "", port = "0"] = process.argv.slice(2);
if (!URL.canParse(gateway)) {
  console.error(USAGE);
  process.exit(2);
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://page");
  if (pathname.startsWith("/example/")) void sendFile(fileOf(pathname), response);
  else passOn(request, response);
});
server.listen(Number(port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/example/`);
});

/** Which file is at a path. */
function fileOf(pathname: string): string {
  // A leading slash keeps `..` from leading anywhere.
  const name = normalize(`/${pathname.slice("/example/".length)}`);
  if (name === "/openapi-fetch.js") return join(PACKAGE, "node_modules/openapi-fetch/dist/index.mjs");
  if (name.startsWith("/modules/")) return join(PACKAGE, "build", name.slice("/modules/".length));
  return join(PACKAGE, "../browser", name === "/" ? "index.html" : name);
}

async function sendFile(file: string, response: ServerResponse): Promise<void> {
  const type = TYPES[extname(file)];
  const found = await stat(file).catch(() => undefined);
  if (!type || !found?.isFile()) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { ...HEADERS, "Content-Type": type });
  createReadStream(file).pipe(response);
}

/** Neither path nor body is changed: clients sign them. Nor can a path name another host. */
function passOn(request: IncomingMessage, response: ServerResponse): void {
  const { method = "GET", headers, url: path = "/" } = request;
  const onward = ask(gateway, { method, path, headers });
  onward.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  // Who goes away does not keep a long poll open.
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}
