// A table of any number of rows: only those in sight are in the document.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";

const PAUSE_MS = 500;
const AROUND = 8;	// rows beyond the edges

const collator = new Intl.Collator(undefined, { numeric: true });

function compare(a, b) {
	if (a === b)
		return 0;
	if (a === null || a === undefined || a === "")
		return 1;	// unknown last
	if (b === null || b === undefined || b === "")
		return -1;
	return typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
}

export function sorted(rows, columns, { by, down }) {
	const column = columns.find(one => one.key === by) || columns[0];
	const keyed = rows.map(row => [column.value(row), row]);
	keyed.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])) || compare(a[1].name, b[1].name));
	return keyed.map(([, row]) => row);
}

function Head({ columns, sort, setSort }) {
	const press = key => setSort({ by: key, down: sort.by === key && !sort.down });
	return html`<thead><tr aria-rowindex="1">${columns.map(column => html`<th scope="col" key=${column.key} class=${column.class}
		aria-sort=${sort.by !== column.key ? null : sort.down ? "descending" : "ascending"}>${column.value
			? html`<button type="button" class="plain" onClick=${() => press(column.key)}>${column.title}<span class="arrow" aria-hidden="true">${sort.by !== column.key ? "" : sort.down ? "▼" : "▲"}</span></button>`
			: html`<span class="hidden-text">${column.title}</span>`}</th>`)}</tr></thead>`;
}

// columns: [{key, title, value(row) to sort by, cell(row), class}]; rows are sorted already, current(row) is what one is now; rowHeight: px, all alike
export function Table({ label, columns, rows, rowHeight = 44, sort, setSort, empty, rowKey = row => row.name, current = row => row }) {
	const box = useRef(null);
	const [view, setView] = useState({ top: 0, height: 600 });
	useLayoutEffect(() => {
		const look = () => setView({ top: box.current.scrollTop, height: box.current.clientHeight });
		const observer = new ResizeObserver(look);
		observer.observe(box.current);
		look();
		return () => observer.disconnect();
	}, []);
	// Of a list that has become shorter, the place that it was scrolled to may be gone.
	const top = Math.max(0, Math.min(view.top, rows.length * rowHeight - view.height));
	const first = Math.max(0, Math.floor(top / rowHeight) - AROUND);
	const last = Math.min(rows.length, Math.ceil((top + view.height) / rowHeight) + AROUND);
	const scrolled = () => setView({ top: box.current.scrollTop, height: box.current.clientHeight });
	return html`<div class="table" ref=${box} onScroll=${scrolled} tabindex="0" role="region" aria-label=${label}>
		<table aria-rowcount=${rows.length + 1} aria-label=${label}>
			<${Head} columns=${columns} sort=${sort} setSort=${setSort} />
			<tbody>
				${first > 0 && html`<tr aria-hidden="true" class="gap" style=${{ height: `${first * rowHeight}px` }}></tr>`}
				${rows.slice(first, last).map(current).map((row, i) => html`<tr key=${rowKey(row)} aria-rowindex=${first + i + 2} style=${{ height: `${rowHeight}px` }}>
					${columns.map(column => html`<td key=${column.key} class=${column.class}>${column.cell(row)}</td>`)}</tr>`)}
				${last < rows.length && html`<tr aria-hidden="true" class="gap" style=${{ height: `${(rows.length - last) * rowHeight}px` }}></tr>`}
			</tbody>
		</table>
		${rows.length === 0 && html`<p class="empty">${empty}</p>`}
	</div>`;
}

// The rows that pass, in order.  While they only change within themselves the order is made anew at most every PAUSE_MS, so that ten
// thousand may change at once; Table asks `current` what a row is now.
export function useSorted(rows, version, columns, sort, { key, test }) {
	const last = useRef({ at: 0 }), [, again] = useState(0), { current: made } = last;
	const asked = JSON.stringify([sort, key]), late = made.asked === asked && made.version !== version && Date.now() - made.at < PAUSE_MS;
	useEffect(() => {
		if (!late)
			return undefined;
		const timer = setTimeout(() => again(n => n + 1), PAUSE_MS);
		return () => clearTimeout(timer);
	}, [late]);
	if (made.asked !== asked || (made.version !== version && !late))
		last.current = { at: Date.now(), version, asked, rows: sorted([...rows].filter(test), columns, sort) };
	return last.current.rows;
}
