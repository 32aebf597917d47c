/** Red, green, blue, each 0 to 255. */
export type Colour = readonly [number, number, number];

const surface = { light: [255, 255, 255], dark: [24, 28, 35] } as const;
const blue = { light: [38, 70, 196], dark: [142, 166, 255] } as const;
const orange = { light: [194, 65, 12], dark: [255, 154, 98] } as const;

const mix = (a: Colour, b: Colour, t: number): Colour =>
  [0, 1, 2].map((i) => Math.round((a[i] as number) * (1 - t) + (b[i] as number) * t)) as never;

/** A share between 0 and 1, from the page's surface to blue. The root makes small shares visible. */
export function shareColour(share: number, dark: boolean): Colour {
  const theme = dark ? "dark" : "light";
  return mix(surface[theme], blue[theme], Math.sqrt(Math.min(1, Math.max(0, share))));
}

/** A value between −1 and 1: orange below zero, blue above, the surface at zero. */
export function signedColour(value: number, dark: boolean): Colour {
  const theme = dark ? "dark" : "light";
  const end = value < 0 ? orange[theme] : blue[theme];
  return mix(surface[theme], end, Math.min(1, Math.abs(value)) ** 0.8);
}

export const css = ([r, g, b]: Colour): string => `rgb(${r} ${g} ${b})`;
