// A board's tiles: each asks for its rows by itself and draws them, or says why it cannot.
'use strict';

(() => {
  const board = document.querySelector('[data-board]').dataset.board;
  const words = Format.words;

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  async function rowsOf(number) {
    let answer;
    try {
      answer = await fetch(`/boards/${encodeURIComponent(board)}/tiles/${number}`, { headers: { Accept: 'application/json' } });
    } catch {
      throw new Error(words.unreachable);
    }
    const body = await answer.json().catch(() => ({}));
    if (answer.status === 403 && body.error?.message === 'log in first') location.assign('/');
    if (!answer.ok) throw new Error(body.error?.message ?? `HTTP ${answer.status}`);
    return body;
  }

  function kpi(content, tile, data) {
    const found = Charts.column(data, tile.y[0]);
    const [value] = found.values;
    const format = Format.formatOf(found, tile.formats);
    const figure = element('div', 'figure', Format.short(value, format));
    figure.title = Format.full(value, format);
    content.append(figure);
    if (!tile.before) return;
    const [before] = Charts.column(data, tile.before).values;
    const change = before && value !== null ? value / before - 1 : null;
    const sign = change === null || Math.abs(change) < 0.0005 ? 'level' : change > 0 ? 'up' : 'down';
    const arrow = { up: '▲', down: '▼', level: '' }[sign];
    const line = element('div', 'change');
    line.append(element('span', sign, change === null ? '–' : `${arrow} ${Format.full(Math.abs(change), 'percent')}`));
    line.append(element('span', 'than', words.before));
    content.append(line);
  }

  function table(content, tile, data) {
    const columns = data.columns.map((column) => {
      const format = Format.formatOf(column, tile.formats);
      return { ...column, format, side: column.type === 'number' && format !== 'plain' ? 'number' : '' };
    });
    const times = columns.map(({ type }, at) => (type === 'date' || type === 'timestamp' ? Format.times(data.rows.map((row) => row[at])) : null));
    const rows = data.rows.map((row, at) => ({ row, shown: row.map((value, index) => times[index]?.[at] ?? Format.full(value, columns[index].format)) }));
    const body = element('tbody');
    const head = element('tr');
    let order = { at: -1, down: false };

    function fill() {
      body.replaceChildren(...rows.map(({ shown }) => {
        const line = element('tr');
        line.append(...shown.map((text, at) => element('td', columns[at].side, text)));
        return line;
      }));
    }

    function sort(at) {
      order = { at, down: order.at === at ? !order.down : columns[at].type === 'number' };
      const way = order.down ? -1 : 1;
      rows.sort((left, right) => {
        const [a, b] = [left.row[at], right.row[at]];
        if (a === null || b === null) return (a === null) - (b === null);
        return way * (typeof a === 'number' ? a - b : String(a).localeCompare(String(b)));
      });
      [...head.children].forEach((cell, index) => {
        if (index === at) cell.setAttribute('aria-sort', order.down ? 'descending' : 'ascending');
        else cell.removeAttribute('aria-sort');
      });
      fill();
    }

    columns.forEach((column, at) => {
      const cell = element('th', column.side);
      const button = element('button', '', Format.heading(column.name));
      button.addEventListener('click', () => sort(at));
      cell.append(button);
      head.append(cell);
    });
    fill();
    const sheet = element('table');
    const top = element('thead');
    top.append(head);
    sheet.append(top, body);
    const scroll = element('div', 'scroll');
    scroll.append(sheet);
    content.append(scroll);
  }

  function draw(content, tile, data) {
    if (data.rows.length === 0) {
      content.append(element('p', 'empty', words.empty));
    } else if (tile.chart === 'kpi') {
      kpi(content, tile, data);
    } else if (tile.chart === 'table') {
      table(content, tile, data);
    } else {
      const canvas = element('div', 'canvas');
      content.append(canvas);
      Charts.draw(canvas, tile, data);
    }
    if (data.truncated) content.append(element('p', 'empty', words.truncated));
  }

  async function load(section) {
    const content = section.querySelector('.content');
    const tile = JSON.parse(section.dataset.tile);
    try {
      const data = await rowsOf(section.dataset.number);
      content.classList.remove('loading');
      draw(content, tile, data);
    } catch (error) {
      content.classList.remove('loading');
      const problem = element('div', 'failed');
      problem.append(element('strong', '', words.failed), element('span', '', error.message));
      content.replaceChildren(problem);
    }
  }

  Promise.all([...document.querySelectorAll('.tile')].map(load)).then(() => document.body.classList.add('drawn'));
})();
