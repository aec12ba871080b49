/** Reading files with the progress of all together, which is told once the lengths of all are known. */
export class Downloads {
  private total = 0;
  private loaded = 0;
  private awaited: number;

  constructor(
    private readonly onProgress: (loaded: number, total: number) => void,
    files: number,
  ) {
    this.awaited = files;
  }

  expectFewer(files: number): void {
    this.awaited -= files;
  }

  /** The bytes of a file, or null where there is none. Throws where it cannot be had. */
  async read(url: string): Promise<Uint8Array<ArrayBuffer> | null> {
    const response = await fetch(url);
    // A server that answers a missing file with a page says so only by the kind of what it sends.
    const missing = response.status === 404 || response.headers.get("Content-Type")?.startsWith("text/html") === true;
    if (!missing && !response.ok) throw new Error(`the server answered ${response.status}`);
    const length = Number(response.headers.get("Content-Length") ?? 0);
    this.total += missing ? 0 : length;
    this.awaited--;
    if (missing || response.body === null) return null;
    const parts: Uint8Array[] = [];
    let own = 0;
    for await (const part of chunks(response.body)) {
      parts.push(part);
      own += part.length;
      this.loaded += part.length;
      // Of a file that is sent compressed, the length is not that of what arrives.
      if (own > length) this.total += Math.min(part.length, own - length);
      if (this.awaited <= 0) this.onProgress(this.loaded, this.total);
    }
    const file = new Uint8Array(own);
    let at = 0;
    for (const part of parts) {
      file.set(part, at);
      at += part.length;
    }
    return file;
  }
}

async function* chunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
}

/** What gzip packed. */
export async function unzipped(file: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([file]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
