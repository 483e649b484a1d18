// The catalog: knows prices, asks the stock for amounts, and keeps the answer in Redis for a moment.
//
// What it calls stands in its environment, set by its sidecar: SHOP_STOCK_URL, SHOP_CACHE_HOST and SHOP_CACHE_PORT.

import http from "node:http";
import { Redis } from "./redis.mjs";

const PRICES = { tea: 3.2, coffee: 7.9, cocoa: 4.5 };
const KEPT_SECONDS = 2;
const TIMEOUT_MILLISECONDS = 5_000;

const { SHOP_STOCK_URL, SHOP_CACHE_HOST, SHOP_CACHE_PORT } = process.env;
const cache = new Redis(SHOP_CACHE_HOST, Number(SHOP_CACHE_PORT), TIMEOUT_MILLISECONDS);

function ask(url) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { timeout: TIMEOUT_MILLISECONDS }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`the stock answered ${answer.statusCode}: ${text}`));
      });
    });
    request.on("timeout", () => request.destroy(new Error("the stock does not answer")));
    request.on("error", reject);
  });
}

async function goods() {
  const kept = await cache.ask("GET", "goods");
  if (kept !== null) return { from: "Redis", goods: JSON.parse(kept) };
  const amounts = await ask(`${SHOP_STOCK_URL}/stock`);
  const all = Object.entries(PRICES).map(([name, price]) => ({ name, price, amount: amounts[name] ?? 0 }));
  await cache.ask("SET", "goods", JSON.stringify(all), "EX", String(KEPT_SECONDS));
  return { from: "PostgreSQL", goods: all };
}

const server = http.createServer(async (request, response) => {
  const answer = (status, value) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value) + "\n");
  };
  if (request.url === "/healthz") return answer(200, "well");
  if (request.url !== "/goods") return answer(404, "there is only /goods");
  try {
    answer(200, await goods());
  } catch (error) {
    answer(502, String(error.message));
  }
});

const [address, port] = process.argv[2].split(":");
server.listen(Number(port), address);
process.on("SIGTERM", () => process.exit(0));
