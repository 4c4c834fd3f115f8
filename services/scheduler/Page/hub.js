'use strict';
// What comes from the scheduler is written as text only, never as markup.
const at = id => document.getElementById(id);
const pause = 2000;
let chosen = decodeURIComponent(location.hash.slice(1)), token = sessionStorage.getItem('token'), drawn = '', keys = new Map();

const size = bytes => {
  if (bytes < 1000) return `${bytes} B`;
  let power = 0;
  for (; bytes >= 999.5 && power < 4; power++) bytes /= 1000;
  return `${bytes.toPrecision(3)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
};
const loss = value => value == null ? '–' : value.toFixed(4);
const element = (name, text, style) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (style) made.className = style;
  return made;
};
const shape = (name, attributes, text) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

async function ask(path, method = 'GET') {
  const response = await fetch(path, { method, cache: 'no-store', headers: token ? { authorization: `Bearer ${token}` } : {} });
  if (response.status === 401) {
    at('entry').hidden = false;
    throw new Error(token ? 'the token was refused' : 'a token is asked for');
  }
  at('entry').hidden = true;
  if (!response.ok) throw Object.assign(new Error(`${response.status}: ${await response.text()}`), { status: response.status });
  return response;
}

const news = (text, isFault) => {
  if (at('news').textContent !== text) at('news').textContent = text;
  at('news').classList.toggle('fault', !!isFault);
};

function row(run) {
  const made = element('tr', undefined, run.name === chosen ? 'chosen' : ''), traffic = run.traffic;
  const name = element('td', undefined, 'text'), link = element('a', run.name);
  link.href = `#${encodeURIComponent(run.name)}`;
  name.append(link);
  const saved = traffic && traffic.denseFp16Bytes > 0 ? `${(100 - 100 * (traffic.upBytes + traffic.downBytes) / traffic.denseFp16Bytes).toFixed(1)}%` : '–';
  const evaluated = run.evaluation ? `${loss(run.evaluation.score.loss)} (version ${run.evaluation.version})` : '–';
  const versions = traffic ? Object.values(traffic.sites) : [];
  const current = versions.filter(version => version === run.published).length;
  made.append(name, element('td', run.state, 'text'));
  for (const text of [run.rounds ? `${run.published}/${run.rounds}` : '–', loss(traffic?.loss), evaluated, traffic ? size(traffic.upBytes) : '–', traffic ? size(traffic.downBytes) : '–', saved])
    made.append(element('td', text));
  made.append(element('td', traffic?.coverage?.join(' ') ?? '–', 'text'));
  made.append(element('td', traffic ? `${current} of ${versions.length} up to date` : `${run.trainers.length} trainers, ${run.missing.length} clients missing`, 'text'));
  return made;
}

function plot(into, lines, format) {
  const points = lines.flatMap(line => line.points);
  if (points.length === 0) return into.replaceChildren(element('p', 'nothing yet', 'empty'));
  const [width, height, left, bottom, top, right] = [560, 240, 64, 26, 10, 78];
  const last = Math.max(1, ...points.map(point => point[0])), high = Math.max(...points.map(point => point[1])) * 1.05 || 1;
  const x = value => left + (width - left - right) * value / last, y = value => height - bottom - (height - bottom - top) * value / high;
  const svg = shape('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': lines.map(line => `${line.name}: ${line.points.map(point => format(point[1])).join(', ')}`).join('; ') });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(shape('line', { class: 'rule', x1: left, x2: width - right, y1: y(high * share), y2: y(high * share) }));
    svg.append(shape('text', { x: left - 8, y: y(high * share) + 4, 'text-anchor': 'end' }, format(high * share)));
  }
  for (const round of [...new Set([0, Math.round(last / 2), last])]) svg.append(shape('text', { x: x(round), y: height - 6, 'text-anchor': 'middle' }, round));
  const ends = lines.map(line => line.points.length ? y(line.points.at(-1)[1]) : 0);
  if (lines.length === 2 && Math.abs(ends[0] - ends[1]) < 14) ends[ends[0] <= ends[1] ? 1 : 0] = Math.min(...ends) + 14;
  lines.forEach((line, i) => {
    if (line.points.length === 0) return;
    svg.append(shape('path', { class: `line c${i}`, d: line.points.map((point, j) => `${j ? 'L' : 'M'}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`).join('') }));
    for (const point of line.points) {
      const dot = shape('circle', { class: `d${i}`, cx: x(point[0]), cy: y(point[1]), r: 2.6 });
      dot.append(shape('title', {}, `${line.name}, round ${point[0]}: ${format(point[1])}`));
      svg.append(dot);
    }
    svg.append(shape('text', { class: `n${i}`, x: width - right + 8, y: ends[i] + 4 }, line.name));
  });
  into.replaceChildren(svg);
}

function draw(report) {
  const arm = report.arms[0], rounds = arm.rounds;
  const held = rounds.filter(round => round.heldOut?.loss != null).map(round => [round.round + 1, round.heldOut.loss]);
  if (arm.before?.loss != null) held.unshift([0, arm.before.loss]);
  plot(at('loss'), [{ name: 'training', points: rounds.filter(round => round.trainLoss != null).map(round => [round.round, round.trainLoss]) }, { name: 'held-out', points: held }], value => value.toFixed(2));
  plot(at('bytes'), [{ name: 'up', points: rounds.map(round => [round.round, round.bytes.upBytes]) }, { name: 'down', points: rounds.map(round => [round.round, round.bytes.downBytes]) }], size);
  const table = element('table'), head = element('tr');
  head.append(element('th', 'round', 'text'), ...Array.from({ length: arm.segments }, (_, segment) => element('th', `segment ${segment}`)), element('th', 'absent'), element('th', 'refused'));
  table.append(head);
  for (const round of rounds.slice(-12).reverse()) {
    const line = element('tr');
    line.append(element('td', round.round, 'text'), ...round.coverage.map(count => element('td', count, count === 0 ? 'fault' : '')));
    for (const status of ['absent', 'refused']) line.append(element('td', round.participants.filter(participant => participant.status === status).length));
    table.append(line);
  }
  at('coverage').replaceChildren(rounds.length ? table : element('p', 'nothing yet', 'empty'));
}

function sites(run) {
  const table = element('table'), head = element('tr');
  head.append(element('th', 'site', 'text'), element('th', 'version'), element('th', 'key', 'text'), element('th', 'trainers', 'text'));
  table.append(head);
  for (const [site, version] of Object.entries(run.traffic?.sites ?? {})) {
    const line = element('tr'), own = run.trainers.filter(trainer => trainer.startsWith(`trainer-${site}-`) && /^\d+$/.test(trainer.slice(`trainer-${site}-`.length)));
    const key = keys.get(site) ?? 'none';
    line.append(element('td', site, 'text'), element('td', version), element('td', key, key === 'revoked' ? 'text fault' : 'text'));
    line.append(element('td', own.map(trainer => run.present && !run.present.includes(trainer) ? `${trainer} (away)` : trainer).join(', '), 'text'));
    table.append(line);
  }
  at('sites').replaceChildren(run.traffic ? table : element('p', `${run.trainers.length} trainers have enrolled; missing clients: ${run.missing.join(', ') || 'none'}`, 'empty'));
}

const when = text => text ? new Date(text).toLocaleString() : '–';

function fill(into, headings, rows, none) {
  if (rows.length === 0) return into.replaceChildren(element('p', none, 'empty'));
  const made = element('table'), head = element('tr');
  head.append(...headings.map(heading => element('th', heading, 'text')));
  made.append(head, ...rows.map(([style, ...cells]) => {
    const line = element('tr', undefined, style);
    line.append(...cells.map((cell, i) => element('td', cell, headings[i] === 'about' ? 'text wide' : 'text')));
    return line;
  }));
  into.replaceChildren(made);
}

async function hub() {
  try {
    const sites = await (await ask('sites')).json();
    keys = new Map(sites.map(site => [site.name, site.state]));
    fill(at('admitted'), ['site', 'state', 'key', 'token until'], sites.map(site => [site.state === 'revoked' ? 'fault' : '', site.name, site.state, site.key ?? '–', when(site.tokenExpires)]), 'no sites yet; ecolora admit SITE');
  } catch (fault) {
    if (fault.status !== 409) throw fault;
    at('admitted').replaceChildren(element('p', 'Messages are not signed (ECOLORA_SIGNATURES=off): whoever reaches the broker takes part.', 'empty'));
  }
  const { refusals, away } = await (await ask('refusals')).json();
  refusals.sort((a, b) => b.isRefused - a.isRefused);
  fill(at('refusals'), ['service', 'reason', 'count', 'last', 'about'], refusals.map(refusal => [refusal.isRefused ? '' : 'dim', refusal.service, refusal.reason, refusal.count, when(refusal.last), refusal.about]), 'nothing so far');
  if (away.length) at('refusals').append(element('p', `away: ${away.join(', ')}; what it has refused is not in this`, 'fault'));
  at('hub').hidden = false;
}

const file = (run, path, name) => {
  const button = element('button', name);
  button.onclick = async () => {
    try {
      const link = element('a');
      link.href = URL.createObjectURL(await (await ask(`runs/${encodeURIComponent(run)}/${path}`)).blob());
      link.download = `${run}-${name}`;
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (fault) {
      news(fault.message, true);
    }
  };
  return button;
};

async function show(run) {
  at('run').hidden = !run;
  if (!run) return;
  at('name').textContent = run.name;
  const waits = run.awaits ?? {}, waiting = [];
  if (waits.clients?.length) waiting.push(`clients ${waits.clients.join(', ')}`);
  if (waits.change) waiting.push('the change');
  if (waits.sites?.length) waiting.push(`${waits.sites.length} sites`);
  if (waits.evaluation != null) waiting.push(`the evaluation of version ${waits.evaluation}`);
  at('where').textContent = `${run.state}${waiting.length ? `, waits for ${waiting.join('; ')}` : ''}${run.refusal ? `; refused: ${run.refusal}` : ''}${run.declined.length ? `; no part: ${run.declined.join('; ')}` : ''}${run.adapter ? `; adapter ${run.adapter}` : ''}`;
  at('cancel').disabled = run.state === 'finished' || run.state === 'cancelled';
  at('resume').disabled = run.state !== 'cancelled';
  sites(run);
  const state = `${run.name} ${run.entries} ${run.state}`;
  if (state === drawn) return;
  const files = [file(run.name, 'journal', 'journal.jsonl')];
  if (run.rounds) {
    files.unshift(file(run.name, 'report.html', 'report.html'), file(run.name, 'report', 'report.json'), file(run.name, 'ledger.csv', 'ledger.csv'));
    draw(await (await ask(`runs/${encodeURIComponent(run.name)}/report`)).json());
  } else for (const part of ['loss', 'bytes', 'coverage']) at(part).replaceChildren(element('p', 'nothing yet', 'empty'));
  if (run.state === 'finished')
    for (const part of await (await ask(`runs/${encodeURIComponent(run.name)}/exports`)).json()) files.push(file(run.name, `exports/${part.name}`, part.name));
  at('files').replaceChildren(...files);
  drawn = state;
}

async function look() {
  try {
    const runs = await (await ask('runs')).json();
    if (!runs.some(run => run.name === chosen)) chosen = runs.at(-1)?.name ?? '';
    at('runs').replaceChildren(...runs.map(row));
    at('list').hidden = runs.length === 0;
    const count = state => runs.filter(run => run.state === state).length;
    news(runs.length ? `${runs.length} submitted, ${count('running') + count('enrolling')} under way, ${count('finished')} finished` : 'none yet; submit one: ecolora submit FILE.yaml');
    await show(runs.find(run => run.name === chosen));
    await hub();
  } catch (fault) {
    news(fault.message, true);
  }
}

const hold = word => async () => {
  try {
    await ask(`runs/${encodeURIComponent(chosen)}/${word}`, 'POST');
    await look();
  } catch (fault) {
    news(fault.message, true);
  }
};
at('cancel').onclick = hold('cancel');
at('resume').onclick = hold('resume');
at('entry').onsubmit = event => {
  event.preventDefault();
  token = at('token').value;
  sessionStorage.setItem('token', token);
  look();
};
addEventListener('hashchange', () => {
  chosen = decodeURIComponent(location.hash.slice(1));
  look();
});
(async () => {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise(done => setTimeout(done, pause));
  }
})();
