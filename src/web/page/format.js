// How numbers, times and names are written, in the language of the page.
'use strict';

const Format = (() => {
  const board = document.querySelector('[data-board]');
  const language = document.documentElement.lang;
  const labels = JSON.parse(board.dataset.labels);
  const words = JSON.parse(board.dataset.words);
  const currency = board.dataset.currency;

  const NOTHING = '–';
  // From here on a short form says more than all digits.
  const LONG = 10000;

  const writers = new Map();

  function write(value, options) {
    const key = JSON.stringify(options);
    if (!writers.has(key)) writers.set(key, new Intl.NumberFormat(language, options));
    return writers.get(key).format(value);
  }

  const money = currency ? { style: 'currency', currency, currencyDisplay: 'narrowSymbol' } : {};
  // Units of Chinese are ten thousand times the one before, those of English a thousand times.
  const places = language.startsWith('zh') ? 1 : 2;
  const compact = { notation: 'compact', useGrouping: 'always', minimumFractionDigits: 0, maximumFractionDigits: places };

  // All digits that a reader wants: cells and tooltips.
  function full(value, format) {
    if (value === null || value === undefined) return NOTHING;
    if (typeof value !== 'number') return label(value);
    switch (format) {
      case 'plain': return String(value);
      case 'percent': return write(value, { style: 'percent', maximumFractionDigits: 1 });
      case 'money': return write(value, { ...money, minimumFractionDigits: 2, maximumFractionDigits: 2 });
      default: return write(value, { maximumFractionDigits: Math.abs(value) < 1 ? 3 : 2 });
    }
  }

  // What fits on an axis or in a big figure.
  function short(value, format) {
    if (typeof value !== 'number') return full(value, format);
    const long = Math.abs(value) >= LONG;
    switch (format) {
      case 'money': return write(value, long ? { ...money, ...compact } : { ...money, minimumFractionDigits: 0, maximumFractionDigits: 0 });
      case 'percent': return write(value, { style: 'percent', maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 });
      case 'plain': return String(value);
      default: return long ? write(value, compact) : full(value, format);
    }
  }

  function label(value) {
    if (value === null || value === undefined) return NOTHING;
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
    return Object.hasOwn(labels, text) ? labels[text] : text;
  }

  function heading(column) {
    return Object.hasOwn(labels, column) ? labels[column] : column.replaceAll('_', ' ');
  }

  // Times of a column, as short as all of them allow: months where each is the first of one, days where each is midnight.
  function times(values) {
    const texts = values.map((value) => (value === null ? NOTHING : String(value).slice(0, 16).replace('T', ' ')));
    const known = texts.filter((text) => text !== NOTHING);
    const midnight = known.every((text) => text.length <= 10 || text.endsWith(' 00:00'));
    const months = midnight && known.length > 1 && known.every((text) => text.slice(8, 10) === '01');
    const length = months ? 7 : midnight ? 10 : 16;
    return texts.map((text) => text.slice(0, length));
  }

  // Identifiers are digits that nobody adds up.
  function formatOf(column, formats) {
    if (formats[column.name]) return formats[column.name];
    return /(^|_)id$/.test(column.name) ? 'plain' : 'number';
  }

  return { full, short, label, heading, times, formatOf, words };
})();
