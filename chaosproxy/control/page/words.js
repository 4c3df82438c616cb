// Quantities as people read them.

/** 0.25 s, 12.3 s, 2 min 5 s. */
export function seconds(value) {
  if (value === null || value === undefined) return "-";
  if (value < 0.0995) return `${Math.max(0, Math.round(value * 1000))} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

/** 12.3/s, and 0/s only for nothing at all. */
export function rate(perSecond) {
  if (perSecond === 0) return "0/s";
  return perSecond < 9.95 ? `${perSecond.toFixed(1)}/s` : `${Math.round(perSecond)}/s`;
}

/** 1.2 kB/s. */
export function byteRate(perSecond) {
  const units = ["B", "kB", "MB", "GB"];
  let value = perSecond;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}/s`;
}
