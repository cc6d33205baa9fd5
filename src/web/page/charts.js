// The charts of a board: from a tile and its rows to what ECharts draws.
'use strict';

const Charts = (() => {
  const COLOURS = ['#9a3b1a', '#1f7a6d', '#d08a2e', '#4b5b87', '#b0527a', '#7a8b3c', '#5d8fb3', '#8a6f5a'];
  const NEGATIVE = '#8b8f98';
  const INK = '#2b2622';
  const FAINT = '#857b72';
  const LINE = '#ece5dd';
  const FONT = getComputedStyle(document.body).fontFamily;
  // More slices than this cannot be told apart.
  const SLICES_MAX = 8;
  // More categories, or longer ones, read better beneath each other.
  const CATEGORIES_UPRIGHT_MAX = 7;
  const CATEGORY_LETTERS_MAX = 9;

  const base = {
    color: COLOURS,
    textStyle: { fontFamily: FONT, color: INK },
    animationDuration: 350,
  };

  // Text that is drawn, not HTML: the page allows no styles from scripts, and rows cannot become tags.
  const tooltip = {
    renderMode: 'richText',
    confine: true,
    backgroundColor: '#fffdfa',
    borderColor: LINE,
    padding: [8, 12],
    textStyle: { color: INK, fontSize: 12, fontFamily: FONT },
  };

  function column(data, name) {
    const index = data.columns.findIndex((found) => found.name === name);
    if (index < 0) throw new Error(name);
    return { ...data.columns[index], values: data.rows.map((row) => row[index]) };
  }

  function categories(data, name) {
    const found = column(data, name);
    const isTime = found.type === 'date' || found.type === 'timestamp';
    return isTime ? Format.times(found.values) : found.values.map(Format.label);
  }

  function series(tile, data) {
    return tile.y.map((name) => {
      const found = column(data, name);
      return { name: Format.heading(name), values: found.values, format: Format.formatOf(found, tile.formats) };
    });
  }

  // Letters of Chinese are twice as wide.
  function width(text) {
    return [...text].reduce((sum, letter) => sum + (letter > '\u2e7f' ? 2 : 1), 0);
  }

  function valueAxis(format) {
    return {
      type: 'value',
      axisLabel: { color: FAINT, fontSize: 11, formatter: (value) => Format.short(value, format) },
      splitLine: { lineStyle: { color: LINE } },
    };
  }

  function categoryAxis(names) {
    return {
      type: 'category',
      data: names,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: '#d8cec3' } },
      axisLabel: { color: FAINT, fontSize: 11, hideOverlap: true },
    };
  }

  function frame(lines) {
    return {
      grid: { left: 6, right: 16, top: lines.length > 1 ? 36 : 16, bottom: 4, containLabel: true },
      legend: lines.length > 1 ? { top: 0, left: 0, icon: 'roundRect', itemWidth: 10, itemHeight: 10, textStyle: { color: FAINT, fontSize: 12 } } : undefined,
    };
  }

  function pointer(lines, kind) {
    const formats = lines.map((line) => line.format);
    return {
      ...tooltip,
      trigger: 'axis',
      axisPointer: { type: kind, lineStyle: { color: '#cbbfb3' }, shadowStyle: { color: 'rgba(154, 59, 26, 0.05)' } },
      formatter: (points) => [
        points[0].name,
        ...points.map((point) => `${point.marker} ${point.seriesName}  ${Format.full(point.value, formats[point.seriesIndex])}`),
      ].join('\n'),
    };
  }

  function line(tile, data) {
    const lines = series(tile, data);
    const area = {
      type: 'linear', x: 0, y: 0, x2: 0, y2: 1,
      colorStops: [{ offset: 0, color: 'rgba(154, 59, 26, 0.22)' }, { offset: 1, color: 'rgba(154, 59, 26, 0.01)' }],
    };
    return {
      ...base,
      ...frame(lines),
      tooltip: pointer(lines, 'line'),
      xAxis: { ...categoryAxis(categories(data, tile.x)), boundaryGap: false },
      yAxis: valueAxis(lines[0].format),
      series: lines.map(({ name, values }) => ({
        type: 'line',
        name,
        data: values,
        symbol: 'circle',
        symbolSize: 6,
        showSymbol: values.length < 3,
        lineStyle: { width: 2.4 },
        areaStyle: lines.length === 1 ? { color: area } : undefined,
      })),
    };
  }

  function bar(tile, data) {
    const lines = series(tile, data);
    const names = categories(data, tile.x);
    const lying = names.length > CATEGORIES_UPRIGHT_MAX || names.some((name) => width(name) > CATEGORY_LETTERS_MAX);
    const category = categoryAxis(names);
    const value = valueAxis(lines[0].format);
    const radius = (number) => {
      const [left, right] = number < 0 ? [4, 0] : [0, 4];
      return lying ? [left, right, right, left] : [right, right, left, left];
    };
    const { grid, legend } = frame(lines);
    return {
      ...base,
      grid: lying ? { ...grid, right: 64 } : { ...grid, top: grid.top + 8 },
      legend,
      tooltip: pointer(lines, 'shadow'),
      xAxis: lying ? { ...value, axisLabel: { show: false }, splitLine: { show: false } } : category,
      yAxis: lying ? { ...category, inverse: true, axisLine: { show: false } } : value,
      series: lines.map(({ name, values, format }) => ({
        type: 'bar',
        name,
        barMaxWidth: lying ? 18 : 44,
        data: values.map((number) => ({
          value: number,
          itemStyle: { borderRadius: radius(number), ...(number < 0 ? { color: NEGATIVE } : {}) },
          label: { position: lying ? (number < 0 ? 'left' : 'right') : (number < 0 ? 'bottom' : 'top') },
        })),
        label: {
          show: lines.length === 1,
          color: FAINT,
          fontSize: 11,
          formatter: (point) => Format.short(point.value, format),
        },
      })),
    };
  }

  function pie(tile, data) {
    const [line] = series(tile, data);
    const names = categories(data, tile.x);
    const slices = names.map((name, at) => ({ name, value: line.values[at] })).filter((slice) => slice.value > 0);
    slices.sort((left, right) => right.value - left.value);
    const rest = slices.splice(slices.length > SLICES_MAX ? SLICES_MAX - 1 : SLICES_MAX);
    const sum = (list) => list.reduce((total, slice) => total + slice.value, 0);
    if (rest.length > 0) slices.push({ name: Format.words.others, value: sum(rest), itemStyle: { color: '#c9bfb5' } });
    const total = sum(slices);
    const shares = new Map(slices.map((slice) => [slice.name, Format.full(slice.value / total, 'percent')]));
    return {
      ...base,
      tooltip: {
        ...tooltip,
        formatter: (point) => `${point.marker} ${point.name}\n${Format.full(point.value, line.format)}  ${shares.get(point.name)}`,
      },
      legend: {
        type: 'scroll', orient: 'vertical', left: '56%', top: 'middle', icon: 'circle', itemWidth: 9, itemHeight: 9, itemGap: 11,
        formatter: (name) => `{name|${name}}{share|${shares.get(name)}}`,
        textStyle: {
          rich: { name: { width: 92, fontSize: 12, color: INK }, share: { width: 46, align: 'right', fontSize: 12, color: FAINT } },
        },
      },
      title: {
        text: Format.short(total, line.format), subtext: line.name, left: '27.5%', top: '41%', textAlign: 'center', itemGap: 4,
        textStyle: { fontSize: 18, fontWeight: 600, color: INK, fontFamily: FONT },
        subtextStyle: { fontSize: 11, color: FAINT, fontFamily: FONT },
      },
      series: [{
        type: 'pie', radius: ['56%', '80%'], center: ['28%', '50%'], data: slices,
        label: { show: false }, itemStyle: { borderColor: '#fff', borderWidth: 2 }, emphasis: { scaleSize: 4 },
      }],
    };
  }

  const options = { line, bar, pie };

  // Draws into an element that is laid out already; throws the name of a column that the rows lack.
  function draw(element, tile, data) {
    const option = options[tile.chart](tile, data);
    const chart = echarts.init(element);
    chart.setOption(option);
    new ResizeObserver(() => chart.resize()).observe(element);
  }

  return { draw, column };
})();
