// As much of a Redis client as the catalog needs, so that nothing has to be installed: commands of words, answers that
// are a line, a text or nothing, one connection that is made again when it was lost.

import net from "node:net";

export class Redis {
  #waiting = [];
  #bytes = Buffer.alloc(0);

  constructor(host, port, timeout) {
    Object.assign(this, { host, port, timeout });
  }

  // Sends a command; the answer is a string, or null when there is nothing.
  ask(...words) {
    return new Promise((resolve, reject) => {
      this.socket ??= this.#connect();
      this.#waiting.push({ resolve, reject });
      const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      this.socket.write(`*${words.length}\r\n${parts.join("")}`);
    });
  }

  #connect() {
    const socket = net.connect(this.port, this.host);
    socket.setTimeout(this.timeout, () => this.#waiting.length > 0 && socket.destroy(new Error("Redis does not answer")));
    socket.on("data", (piece) => this.#take(piece));
    socket.on("error", (error) => (this.failure = error));
    socket.on("close", () => {
      const lost = this.failure ?? new Error("Redis has closed the connection");
      this.#waiting.splice(0).forEach(({ reject }) => reject(lost));
      [this.socket, this.failure, this.#bytes] = [undefined, undefined, Buffer.alloc(0)];
    });
    return socket;
  }

  #take(piece) {
    this.#bytes = Buffer.concat([this.#bytes, piece]);
    for (let end; (end = this.#bytes.indexOf("\r\n")) >= 0; ) {
      const line = this.#bytes.toString("utf8", 1, end);
      const kind = String.fromCharCode(this.#bytes[0]);
      const length = kind === "$" ? Number(line) : -1;
      const next = length < 0 ? end + 2 : end + 2 + length + 2;
      if (this.#bytes.length < next) return;
      const text = kind === "$" ? (length < 0 ? null : this.#bytes.toString("utf8", end + 2, next - 2)) : line;
      this.#bytes = this.#bytes.subarray(next);
      const { resolve, reject } = this.#waiting.shift();
      kind === "-" ? reject(new Error(text)) : resolve(text);
    }
  }
}
