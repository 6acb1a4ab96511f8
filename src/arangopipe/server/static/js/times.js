// Time as axes show it, in UTC: where marks stand, and what they say.
const DAY = 86_400_000;
const DAYS = [1, 2, 7, 14];
const MONTHS = [1, 2, 3, 6, 12, 24, 60, 120];

const utc = (options) => new Intl.DateTimeFormat(undefined, { ...options, timeZone: "UTC" });
const date = utc({ year: "numeric", month: "short", day: "numeric" });
const dayOfMonth = utc({ month: "short", day: "numeric" });
const clock = utc({ hour: "2-digit", minute: "2-digit" });
const month = utc({ month: "short" });
const year = utc({ year: "numeric", month: "short" });

/** Return a day as people write it. */
export function day(time) {
  return date.format(new Date(time));
}

/** Return at most so many marks between two times, each with its words: at full hours, days, or months. */
export function marks(from, to, most) {
  const length = Math.max(to - from, 1);
  const hours = [1, 3, 6, 12].find((each) => length / (each * 3_600_000) <= most);
  if (hours) return every(from, to, hours * 3_600_000, 0, (time) => (time % DAY ? clock : dayOfMonth).format(time));
  const days = DAYS.find((each) => length / (each * DAY) <= most);
  // Weeks begin on Monday, and the epoch on a Thursday.
  if (days) return every(from, to, days * DAY, days % 7 ? 0 : 4 * DAY, (time) => dayOfMonth.format(time));
  const step = MONTHS.find((each) => length / (each * 30.4 * DAY) <= most) ?? MONTHS.at(-1);
  const start = new Date(from);
  const found = [];
  for (let at = Math.ceil((start.getUTCFullYear() * 12 + start.getUTCMonth()) / step) * step; ; at += step) {
    // Months are counted from the year 0.
    const known = new Date(Date.UTC(2000, at - 24_000));
    if (known > to) return found;
    if (known >= from) found.push({ time: known.getTime(), words: (found.length && known.getUTCMonth() ? month : year).format(known) });
  }
}

function every(from, to, step, shift, words) {
  const found = [];
  for (let time = Math.ceil((from - shift) / step) * step + shift; time <= to; time += step) found.push({ time, words: words(time) });
  return found;
}
