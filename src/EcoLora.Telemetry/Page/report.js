'use strict';
(() => {
  const root = document.documentElement;
  root.classList.add('js');
  const tip = document.getElementById('tip');

  // A legend button shows or hides its arm in every plot.
  for (const button of document.querySelectorAll('button[data-arm]')) {
    button.disabled = false;
    button.addEventListener('click', () => {
      const shown = button.getAttribute('aria-pressed') !== 'true';
      button.setAttribute('aria-pressed', String(shown));
      for (const group of document.querySelectorAll('svg [data-arm="' + button.dataset.arm + '"]')) group.classList.toggle('off', !shown);
    });
  }

  // The points carry SVG titles for readers without scripts; here they become one tooltip for the mouse and the arrow keys.
  for (const plot of document.querySelectorAll('svg.plot')) {
    const guide = plot.querySelector('.guide');
    const points = [...plot.querySelectorAll('[data-x]')].map(node => {
      const title = node.querySelector('title');
      const [where, ...text] = title.textContent.split('\n');
      title.remove();
      return { node, where, text: text.join('\n'), x: +node.dataset.x, y: +node.dataset.y };
    });
    const columns = [...new Set(points.map(point => point.x))].sort((a, b) => a - b);
    let current = -1;

    const clear = () => {
      tip.hidden = true;
      for (const node of plot.querySelectorAll('.hot')) node.classList.remove('hot');
      if (guide) guide.classList.remove('hot');
    };

    const show = chosen => {
      clear();
      const visible = chosen.filter(point => !point.node.closest('.off')).sort((a, b) => a.y - b.y);
      if (visible.length === 0) return;
      const lines = [visible[0].where, ...visible.slice(0, 14).map(point => point.text)];
      tip.replaceChildren(...lines.map((line, i) => {
        const row = document.createElement(i === 0 ? 'b' : 'div');
        row.textContent = line;
        return row;
      }));
      for (const point of visible) point.node.classList.add('hot');
      if (guide && plot.dataset.by === 'column') {
        guide.setAttribute('x1', visible[0].x);
        guide.setAttribute('x2', visible[0].x);
        guide.classList.add('hot');
      }
      tip.hidden = false;
      const at = visible[0].node.getBoundingClientRect();
      const left = Math.min(at.right + 12, innerWidth - tip.offsetWidth - 8);
      tip.style.left = Math.max(8, left) + 'px';
      tip.style.top = Math.max(8, Math.min(at.top - 12, innerHeight - tip.offsetHeight - 8)) + 'px';
    };

    const column = x => points.filter(point => point.x === x);

    plot.addEventListener('pointermove', event => {
      const matrix = plot.getScreenCTM();
      const x = (event.clientX - matrix.e) / matrix.a;
      const y = (event.clientY - matrix.f) / matrix.d;
      if (plot.dataset.by === 'column') {
        const nearest = columns.reduce((best, c) => Math.abs(c - x) < Math.abs(best - x) ? c : best, columns[0]);
        show(column(nearest));
      } else {
        const distance = point => Math.hypot(point.x - x, point.y - y);
        const nearest = points.reduce((best, point) => distance(point) < distance(best) ? point : best, points[0]);
        if (distance(nearest) < 40) show([nearest]); else clear();
      }
    });
    plot.addEventListener('pointerleave', clear);
    plot.addEventListener('blur', clear);
    plot.addEventListener('keydown', event => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === 'Escape') clear();
      if (!step) return;
      event.preventDefault();
      const stops = plot.dataset.by === 'column' ? columns.length : points.length;
      current = Math.max(0, Math.min(stops - 1, current + step));
      show(plot.dataset.by === 'column' ? column(columns[current]) : [points[current]]);
    });
  }
})();
