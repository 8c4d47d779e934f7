package disktest

import (
	"context"

	"penstock"
)

const (
	stalled    = "503 stalled unknown"
	overloaded = "503 overloaded not_stored"
)

// stall freezes the disk until everyone has an answer, and some were refused; all goes on when it thaws.
func stall(r *rig) {
	r.start()
	r.begin()
	before := r.resident()
	r.must("freeze", r.disk.freeze(r.ctx))
	thaw := func() { r.must("thaw", r.disk.thaw(context.Background())) }
	r.t.Cleanup(func() { _ = r.disk.thaw(context.Background()) }) // if it was not: nothing that writes there could be ended
	err := r.load.Await(r.ctx, stalled, r.load.Writers)
	if err == nil {
		err = r.load.Await(r.ctx, overloaded, 200)
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

// mostGrowth is by how much a server may grow under this load, whatever its disk does.
const mostGrowth = 256 << 20

func (r *rig) resident() penstock.Bytes {
	r.t.Helper()
	now, _, err := r.server.Resident()
	r.must("read memory", err)
	return now
}
