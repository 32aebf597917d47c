import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { headers } from "./headers.js";

const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

createServer(async ({ url }, response) => {
  const { pathname } = new URL(url, "http://localhost");
  const file = join("dist", normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
  try {
    const body = await readFile(file);
    response.writeHead(200, {
      ...headers,
      "Content-Type": types[extname(file)] ?? "application/octet-stream",
    });
    response.end(body);
  } catch {
    response.writeHead(404, headers).end();
  }
}).listen(8080, () => console.log("http://localhost:8080/"));
