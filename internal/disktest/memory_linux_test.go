package disktest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryGroups is where version 1 of control groups for memory is mounted, if it is.
const memoryGroups = "/sys/fs/cgroup/memory"

// littleMemory lets the process have little memory under a burst. Whether it is killed for that is the kernel's to say; nothing may be
// lost either way.
func littleMemory(r *rig) {
	group, err := os.MkdirTemp(memoryGroups, "penstock-disktest-")
	if err != nil {
		fmt.Fprintf(os.Stderr, "LEFT OUT: little memory: %v\n", err)
		r.start()
		r.begin()
		return
	}
	r.t.Cleanup(func() {
		r.server.Kill()
		if err := os.Remove(group); err != nil {
			r.t.Error(err)
		}
	})
	r.must("limit", os.WriteFile(filepath.Join(group, "memory.limit_in_bytes"), []byte("384M"), 0o600))
	r.wrap = []string{"/bin/sh", "-c", "echo $$ > " + filepath.Join(group, "cgroup.procs") + ` && exec "$0" "$@"`}
	r.load.Writers, r.load.Events, r.load.Text = 12, 500, 1000
	r.start()
	r.begin()
	for kills := 1; !r.burst(60); kills++ {
		r.t.Logf("it was ended %d times: %v", kills, r.server.Err())
		if kills == 2 { // more will not tell more
			r.wrap = nil
		}
		r.start()
	}
	text, err := os.ReadFile(filepath.Join(group, "memory.max_usage_in_bytes"))
	most, parsing := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	r.must("read what was used", errors.Join(err, parsing))
	if most < 128<<20 {
		r.t.Errorf("it used %d bytes: that is no burst", most)
	}
}

// burst returns true when so many requests more were accepted, false if the server has ended before.
func (r *rig) burst(more int) bool {
	r.t.Helper()
	want := r.load.Count("202") + more
	r.until("burst", func() bool { return r.load.Count("202") >= want || r.ended() })
	return !r.ended()
}
