import type { RaceReport, Result } from './result.ts';

const rowHeight = 38;
const barHeight = 11;
const labelWidth = 250;
const barWidth = 380;
const width = labelWidth + barWidth + 110;
const top = 78;

/**
 * The chart of a race (SVG): which share of its sessions each contestant lost with the most processes of the run, a bar
 * for each issuer. It follows the reader's light or dark preference, and says every figure in text as well.
 */
export function raceChart(report: RaceReport): string {
  const processes = Math.max(...report.results.map((result) => result.processes));
  const many = report.results.filter((result) => result.processes === processes);
  const calls = Math.min(...many.map((result) => result.calls));
  const shown = many.filter((result) => result.calls === calls);
  const latencies = [...new Set(shown.map((result) => result.latencyMs))];
  const rows = report.contestants.filter(({ id }) => shown.some((one) => one.contestant === id));
  const height = top + rows.length * rowHeight + 34;
  const title = `Sessions that the issuer ended, ${processes} processes with ${calls} calls each`;
  const legend = latencies.map((latencyMs, at) => {
    const x = labelWidth + at * 130;
    return `<rect class="bar${at}" x="${x}" y="46" width="11" height="11" rx="2"/><text x="${x + 17}" y="56">issuer ${latencyMs} ms</text>`;
  });
  const lines = rows.flatMap(({ id, title: name }, row) => {
    const y = top + row * rowHeight;
    const bars = latencies.map((latencyMs, at) => {
      const result = shown.find((one) => one.contestant === id && one.latencyMs === latencyMs);
      return result === undefined ? '' : bar(result, y + at * (barHeight + 3), at);
    });
    const label = `<text class="name" x="${labelWidth - 12}" y="${y + barHeight + 5}">${escaped(name)}</text>`;
    return [label, ...bars];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">
<title id="title">${title}</title>
<style>
  svg { font: 13px system-ui, sans-serif; }
  text { fill: #1f2328; }
  .heading { font-size: 16px; font-weight: 600; }
  .name { text-anchor: end; }
  .note { fill: #59636e; font-size: 11px; }
  .axis { stroke: #59636e; }
  .bar0 { fill: #bc4c00; }
  .bar1 { fill: #8250df; }
  .bar2 { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .note { fill: #9198a1; }
    .axis { stroke: #9198a1; }
    .bar0 { fill: #f0883e; }
    .bar1 { fill: #bc8cff; }
    .bar2 { fill: #58a6ff; }
  }
</style>
<text class="heading" x="16" y="27">${title}</text>
${[...legend, ...lines].join('\n')}
<line class="axis" x1="${labelWidth}" y1="${top - 4}" x2="${labelWidth}" y2="${height - 34}"/>
<text class="note" x="16" y="${height - 12}">pnpm bench:race, ${report.day}. Peers claim one process at most, except the Redis lock (TTL 1 s).</text>
</svg>
`;
}

function bar({ killed, sessions }: Result, y: number, series: number): string {
  const length = Math.round((barWidth * killed) / sessions);
  const drawn = `<rect class="bar${series}" x="${labelWidth}" y="${y}" width="${Math.max(length, 2)}" height="${barHeight}" rx="2"/>`;
  const figure = `<text class="note" x="${labelWidth + Math.max(length, 2) + 6}" y="${y + barHeight - 1}">${killed} of ${sessions}</text>`;
  return `${drawn}${figure}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
