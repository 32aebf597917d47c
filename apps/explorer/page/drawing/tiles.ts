/** Ground of the keys that a mask hides. */
export function hiddenGround(isDark: boolean): string {
  return isDark ? "#0e1116" : "#e3e6ec";
}

/** Draws a tile that is skipped: the page's ground, with a stroke across it. */
export function drawSkipped(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  size: number,
  isDark: boolean,
): void {
  context.fillStyle = isDark ? "#12151b" : "#eef0f4";
  context.fillRect(x, y, size, size);
  context.strokeStyle = isDark ? "rgb(255 255 255 / 0.12)" : "rgb(20 30 60 / 0.13)";
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, y + size);
  context.lineTo(x + size, y);
  context.stroke();
}
