// A value that components watch.  Changes are told once per frame, however many there were.
import { useEffect, useState } from "./vendor/preact.js";

export class Store {
	constructor(value) {
		this.value = value;
		this.version = 0;	// another after each change, also of a value that is changed in place
		this.watchers = new Set();
		this.due = 0;
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
		const tell = () => { this.due = 0; for (const watcher of [...this.watchers]) watcher(); };
		// A hidden page gets no frames.
		this.due = document.hidden ? setTimeout(tell, 100) : requestAnimationFrame(tell);
	}

	watch(watcher) {
		this.watchers.add(watcher);
		return () => this.watchers.delete(watcher);
	}
}

export function useStore(store) {
	const [, again] = useState(0);
	useEffect(() => store.watch(() => again(n => n + 1)), [store]);
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
