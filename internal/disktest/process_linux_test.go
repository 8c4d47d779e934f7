package disktest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// suspend stops the process for seconds. Meanwhile nobody else gets its directory.
func suspend(r *rig) {
	r.start()
	r.begin()
	for range 3 {
		r.must("stop", r.server.Signal(unix.SIGSTOP))
		wait(r.ctx, time.Second)
		r.second(r.dir)
		r.must("continue", r.server.Signal(unix.SIGCONT))
		r.await("202", 20)
	}
}

// twice starts a second server on the same directory: by its name, by a symbolic link, by a bind mount.
func twice(r *rig) {
	r.start()
	r.begin()
	pid := r.server.PID()
	r.second(r.dir)
	link, bound := filepath.Join(r.t.TempDir(), "link"), r.bind()
	r.must("link", os.Symlink(r.dir, link))
	r.second(link)
	r.second(bound)
	r.await("202", 20)
	r.alive("after others were started")
	if r.server.PID() != pid {
		r.t.Error("another process")
	}
	r.server.Kill()
	r.start() // what a dead process held is free
	r.await("202", 20)
}

// second starts another server, which must end with the status for that and name the one that runs.
func (r *rig) second(dir string) {
	r.t.Helper()
	began := time.Now()
	c := exec.CommandContext(r.ctx, *program, "serve", "-c", "penstock.yaml")
	c.Dir = dir
	said, err := c.CombinedOutput()
	var status *exec.ExitError
	if !errors.As(err, &status) || status.ExitCode() != 6 || !strings.Contains(string(said), fmt.Sprintf("process %d", r.server.PID())) {
		r.t.Errorf("a second server in %s, beside %d: %v, %s", dir, r.server.PID(), err, said)
	}
	r.t.Logf("a second server ended after %v", time.Since(began))
}

// bind mounts the installation's directory at another place.
func (r *rig) bind() string {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), "bound")
	newDisk(r.t, &disk{dir: dir, mount: []string{"mount", "--bind", r.dir, dir}})
	return dir
}

// fewFiles gives the process 64 descriptors, and takes all that connections can have.
func fewFiles(r *rig) {
	r.wrap = []string{"/bin/sh", "-c", `ulimit -n 64 && exec "$0" "$@"`}
	r.start()
	r.begin()
	idle := r.connect(200)
	r.await("202", 20)
	r.alive("with all descriptors in use")
	r.server.Kill()
	r.start()
	r.await("202", 20)
	for _, c := range idle {
		_ = c.Close() // most were closed with the server
	}
	r.reads("with few descriptors")
}

// connect opens connections on which nothing is sent. Some may be refused.
func (r *rig) connect(n int) []net.Conn {
	var all []net.Conn
	for range n {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.server.URL, "http://"))
		if err == nil {
			all = append(all, c)
		}
	}
	return all
}

// noInodes takes all inodes of the log's disk: there is no next segment then.
func noInodes(r *rig) {
	r.start()
	r.begin()
	n := r.disk.crowd()
	r.await(logFull, 20)
	r.alive("without inodes")
	r.reads("without inodes")
	r.end()
	r.start()
	r.await(logFull, 20)
	r.server.Kill()
	r.start()
	r.await(logFull, 20)
	r.must("make room", r.disk.uncrowd(n))
	r.await("202", 20)
}
