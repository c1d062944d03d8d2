// A value that components watch.  Changes are told once per frame, however many there were.
import { useEffect, useLayoutEffect, useState } from "./vendor/preact.js";

const UNSEEN_MS = 200, FRAME_MS = 16;

export class Store {
	constructor(value) {
		this.value = value;
		this.version = 0;	// another after each change, also of a value that is changed in place
		this.watchers = new Set();
		this.due = 0;
		this.told = -FRAME_MS;
	}

	set(value) {
		this.value = value;
		this.changed();
	}

	// Of a value that is changed in place.
	changed() {
		this.version++;
		if (this.due)
			return;
		const tell = () => {
			clearTimeout(this.due);
			cancelAnimationFrame(frame);
			this.due = 0;
			this.told = performance.now();
			for (const watcher of [...this.watchers])
				watcher();
		};
		let frame;
		if (performance.now() - this.told > FRAME_MS) {	// the first of a flood is not kept waiting
			tell();
			return;
		}
		// A page that nobody sees gets no frames.
		frame = requestAnimationFrame(tell);
		this.due = setTimeout(tell, UNSEEN_MS);
	}

	watch(watcher) {
		this.watchers.add(watcher);
		return () => this.watchers.delete(watcher);
	}
}

export function useStore(store) {
	const [, again] = useState(0), { version } = store;
	useLayoutEffect(() => {
		if (store.version !== version)	// it changed between being read and being watched
			again(n => n + 1);
		return store.watch(() => again(n => n + 1));
	}, [store]);
	return store.value;
}

// {data, error, reload}: what load() gave, asked for again when one of `when` changes.  An answer that was overtaken is dropped.
export function useLoad(load, when) {
	const [state, set] = useState({});
	const [round, next] = useState(0);
	useEffect(() => {
		let current = true;
		load().then(data => current && set({ data }), error => current && set(old => ({ data: old.data, error })));
		return () => { current = false; };
	}, [...when, round]);
	return { ...state, reload: () => next(n => n + 1) };
}
