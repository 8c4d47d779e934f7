package disktest

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"

	"penstock"
)

const (
	stalled    = "503 stalled unknown"
	overloaded = "503 overloaded not_stored"
)

// stall freezes the disk until everyone has an answer, and some were refused; all goes on when it thaws. What writes to a frozen disk
// cannot be ended: should a test be killed meanwhile, fsfreeze -u thaws it, from within its namespace of mounts (nsenter).
func stall(r *rig) {
	r.start()
	r.begin()
	before := r.resident()
	r.must("freeze", r.disk.freeze(r.ctx))
	thaw := func() { r.must("thaw", r.disk.thaw(context.Background())) }
	r.t.Cleanup(func() { _ = r.disk.thaw(context.Background()) }) // if it was not: nothing that writes there could be ended
	err := r.load.Await(r.ctx, stalled, r.load.Writers)
	if err == nil {
		err = r.load.Await(r.ctx, overloaded, 60)
	}
	ready := r.ask().Ready(r.ctx)
	thaw()
	r.must("stall", err)
	if ready {
		r.t.Error("it says that it is ready while its disk is stalled")
	}
	r.await("202", 20)
	if after := r.resident(); after > before+mostGrowth {
		r.t.Errorf("%d bytes were resident, now %d are", before, after)
	}
}

// slow adds a fifth of a second to each flush of the log. Nobody is refused for that, and many wait for the same flush.
func slow(r *rig) {
	r.args = []string{"--fsync-delay", "200ms"}
	r.load.Writers = 16
	r.start()
	r.begin()
	r.await("202", 100)
	r.stop()
	if requests, flushes := r.load.Count("202"), r.flushes(); requests < 2*flushes {
		r.t.Errorf("%d requests were answered after %d flushes", requests, flushes)
	}
	if all := r.load.Answers(); len(all) != 1 {
		r.t.Errorf("answers: %v", all)
	}
}

// flushes returns how often the server has flushed its log.
func (r *rig) flushes() int {
	r.t.Helper()
	resp, err := http.Get(r.server.URL + "/metrics")
	r.must("ask for metrics", err)
	defer resp.Body.Close()
	for all := bufio.NewScanner(resp.Body); all.Scan(); {
		if count, ok := strings.CutPrefix(all.Text(), "penstock_fsync_seconds_count "); ok {
			n, err := strconv.Atoi(count)
			r.must("read metrics", err)
			return n
		}
	}
	r.t.Fatal("no count of flushes")
	return 0
}

// mostGrowth is by how much a server may grow under this load, whatever its disk does.
const mostGrowth = 256 << 20

func (r *rig) resident() penstock.Bytes {
	r.t.Helper()
	now, _, err := r.server.Resident()
	r.must("read memory", err)
	return now
}
