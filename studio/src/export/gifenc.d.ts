declare module "gifenc" {
  /** Red, green, blue, 0 to 255. */
  export type Colour = readonly [number, number, number];

  export interface FrameOptions {
    /** Of the first frame: the palette of all. */
    readonly palette?: readonly Colour[];
    readonly transparent?: boolean;
    readonly transparentIndex?: number;
    /** Milliseconds. */
    readonly delay?: number;
    /** 0 for ever, -1 once. */
    readonly repeat?: number;
    /** Bits of a palette index. */
    readonly colorDepth?: number;
    /** 1 leaves the frame for the next one to be laid on. */
    readonly dispose?: number;
  }

  export interface Encoder {
    writeFrame(index: Uint8Array, width: number, height: number, options?: FrameOptions): void;
    finish(): void;
    bytes(): Uint8Array<ArrayBuffer>;
  }

  export function GIFEncoder(): Encoder;
}
