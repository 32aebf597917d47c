/** A page in a browser that this process started. Closing it ends the browser. */
export interface OpenedPage {
  /** The browser's own version, such as `"153.8"`. */
  readonly version: string;
  goto(url: string): Promise<void>;
  /** Evaluates a JavaScript expression there. @returns its value, which JSON can say; null for undefined */
  evaluate<T>(expression: string): Promise<T>;
  /** Sets the size of what is visible, in CSS pixels. */
  resize(width: number, height: number): Promise<void>;
  /** @returns a picture of what is visible, as PNG */
  screenshot(): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** How a browser is started. */
export interface OpenOptions {
  /** Variables of its environment, beside those of this process: `VK_DRIVER_FILES` names a Vulkan driver. */
  readonly env?: Readonly<Record<string, string>>;
  /** Chromium's features of WebGPU to turn off or on; and other arguments. */
  readonly args?: readonly string[];
}
