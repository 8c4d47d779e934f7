package disktest

const logFull = "503 log_full not_stored"

// fullLog fills the log's disk under load, to the last block. The server goes on, also after a stop, a kill, and by itself when there
// is room again.
func fullLog(r *rig) {
	r.start()
	r.begin()
	r.must("fill", r.disk.fill())
	r.refuses("full")
	r.restarts()
	r.must("clear", r.disk.clear())
	r.await("202", 20)
}

// fullLogByLoad lets what is accepted fill the log's disk, up to its mark.
func fullLogByLoad(r *rig) {
	r.start()
	r.begin()
	r.refuses("full")
	r.restarts()
	r.must("grow", r.disk.grow(r.ctx, "256m"))
	r.await("202", 20)
}

// fullStore fills the store's disk. Events are accepted until the log is full too; then the room that comes back is enough for all.
func fullStore(r *rig) {
	r.start()
	r.begin()
	r.must("fill", r.disk.fill())
	r.await("202", 20)
	r.refuses("full")
	r.restarts()
	r.must("clear", r.disk.clear())
	r.await("202", 20)
}

// fullStoreByLoad lets rows fill the store's disk.
func fullStoreByLoad(r *rig) {
	r.start()
	r.begin()
	r.refuses("full")
	r.restarts()
	r.must("grow", r.disk.grow(r.ctx, "512m"))
	r.await("202", 20)
}

// refuses waits until the log is full, and looks at the rest.
func (r *rig) refuses(what string) {
	r.t.Helper()
	r.await(logFull, 20)
	r.alive(what)
	r.reads(what)
	if r.ask().Ready(r.ctx) {
		r.t.Errorf("%s: it says that it is ready", what)
	}
}

// restarts stops the server in order, then kills it, and starts it each time on a disk that is still full.
func (r *rig) restarts() {
	r.t.Helper()
	r.end()
	r.start()
	r.refuses("started")
	r.server.Kill()
	r.start()
	r.refuses("started after a kill")
}
