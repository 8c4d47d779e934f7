package disktest

import (
	"path/filepath"
	"strings"

	"penstock/internal/mounts"
)

// readOnlyLog lets the log's disk refuse writes for good, as one does that met an error. The process ends, and says so; it does not
// start as long as that lasts; mounted again, the disk has all that was answered.
func readOnlyLog(r *rig) {
	r.start()
	r.begin()
	r.must("fault", r.disk.fault())
	if err := r.exit(); err == nil {
		r.t.Error("it ended as if nothing had been")
	}
	if err := r.try(); err == nil {
		r.t.Error("it starts on a disk that takes no writes")
	}
	r.again()
	r.start()
	r.await("202", 20)
}

// readOnlyStore lets the store's disk refuse writes. Events are accepted nevertheless.
func readOnlyStore(r *rig) {
	r.start()
	r.begin()
	r.must("fault", r.disk.fault())
	r.until("outage", func() bool { return strings.Contains(r.said.String(), "a store cannot take a batch") || r.ended() })
	if !r.ended() {
		r.await("202", 20)
		r.server.Kill()
	}
	r.again()
	r.start()
	r.await("202", 20)
}

// remounted mounts the disk of a server that is not running for reading only: it says so and leaves it as it is.
func remounted(r *rig) {
	r.start()
	r.begin()
	r.server.Kill()
	r.must("remount", mounts.Do(r.ctx, "mount", "-o", "remount,ro", r.disk.dir))
	before := r.listing()
	if err := r.try(); err == nil || !strings.Contains(err.Error(), "read-only file system") || strings.Contains(err.Error(), "goroutine ") {
		r.t.Errorf("on a disk that is mounted for reading: %v", err)
	}
	if after := r.listing(); after != before {
		r.t.Errorf("files were\n%s\nand are\n%s", before, after)
	}
	r.must("remount", mounts.Do(r.ctx, "mount", "-o", "remount,rw", r.disk.dir))
	r.start()
	r.await("202", 20)
}

// again mounts the disk anew, which makes it whole.
func (r *rig) again() {
	r.t.Helper()
	r.must("unmount", r.disk.unmount(r.ctx))
	r.must("mount", r.disk.attach(r.ctx))
}

func (r *rig) listing() string {
	names, err := filepath.Glob(filepath.Join(r.disk.dir, "*"))
	r.must("list", err)
	return strings.Join(names, "\n")
}

func (r *rig) ended() bool {
	select {
	case <-r.server.Exited():
		return true
	default:
		return false
	}
}
