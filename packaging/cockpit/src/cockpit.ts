/** What this page uses of Cockpit's own script, `base1/cockpit.js`. */

interface Channel {
  send(message: string): void;
  close(): void;
  addEventListener(type: 'message', listener: (event: Event, data: string) => void): void;
  addEventListener(type: 'close', listener: (event: Event, options: { readonly problem?: string }) => void): void;
}

interface Cockpit {
  channel(options: {
    readonly payload: 'stream';
    readonly unix: string;
    /** `try`: as root where the user may become it. */
    readonly superuser: 'try';
  }): Channel;
  readonly location: {
    readonly path: readonly string[];
    readonly options: Readonly<Record<string, string>>;
    go(path: readonly string[], options?: Readonly<Record<string, string>>): void;
  };
  addEventListener(type: 'locationchanged', listener: () => void): void;
  user(): Promise<{ readonly id: number }>;
}

declare global {
  var cockpit: Cockpit;
}

export const bridge = globalThis.cockpit;
