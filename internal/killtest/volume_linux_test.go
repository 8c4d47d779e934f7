package killtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"penstock/internal/load/child"
	"penstock/internal/mounts"
)

// variant is a file system as it is made and mounted.
type variant struct {
	name  string
	mkfs  []string
	mount string
}

// variants differ in what a loss of power leaves: how long a journal may wait, and whether data is written before what names it.
var variants = [...]variant{
	{"ext4, commit=5, ordered", []string{"mkfs.ext4", "-q", "-F"}, "commit=5,data=ordered"},
	{"XFS", []string{"mkfs.xfs", "-q", "-f"}, "defaults"},
	{"ext4, commit=1000, writeback", []string{"mkfs.ext4", "-q", "-F"}, "commit=1000,data=writeback"},
	{"ext4, commit=1, ordered", []string{"mkfs.ext4", "-q", "-F"}, "commit=1,data=ordered"},
	{"ext4, commit=1000, ordered", []string{"mkfs.ext4", "-q", "-F"}, "commit=1000,data=ordered"},
	{"XFS, log buffers of 256 KiB", []string{"mkfs.xfs", "-q", "-f"}, "logbsize=256k"},
	{"ext4, blocks of 1 KiB, writeback", []string{"mkfs.ext4", "-q", "-F", "-b", "1024"}, "commit=5,data=writeback"},
	{"ext4, fast commits", []string{"mkfs.ext4", "-q", "-F", "-O", "fast_commit"}, "commit=5"},
	{"ext4, no delayed allocation", []string{"mkfs.ext4", "-q", "-F"}, "commit=1000,nodelalloc"},
}

// volume is a file system in a sparse file, on a loop device that goes when it is unmounted.
type volume struct {
	variant
	image, dir string
	mounted    bool
}

// imageSize is beyond the space that a server wants to be free; only what is written takes room.
const imageSize = 8 << 30

func newVolume(t *testing.T, v variant) *volume {
	t.Helper()
	dir := t.TempDir()
	vol := &volume{variant: v, image: filepath.Join(dir, "image"), dir: filepath.Join(dir, "mounted")}
	if err := os.Mkdir(vol.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vol.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(vol.image, imageSize); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := vol.unmount(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := mounts.Do(t.Context(), append(v.mkfs, vol.image)...); err != nil {
		t.Fatal(err)
	}
	if err := vol.remount(t.Context()); err != nil {
		t.Fatal(err)
	}
	return vol
}

// medium is what a server's data lies on, which can lose its power.
type medium interface {
	// path is where it is mounted.
	path() string
	// shutDown ends it as a loss of power does: nothing that was not synced need be there afterwards.
	shutDown() error
	// mountAgain makes what is left of it usable.
	mountAgain(ctx context.Context) error
}

// losePower ends a medium, without anything more being written, not even a journal; then the process; then it is mounted again. The
// process is stopped before: one that ran on could be told by a dying file system that a sync went well, and answer, which none can
// whose machine has no power.
func losePower(ctx context.Context, m medium, server *child.Process) error {
	if err := freeze(ctx, server); err != nil {
		return err
	}
	if err := m.shutDown(); err != nil {
		return err
	}
	server.Kill()
	return m.mountAgain(ctx)
}

func (v *volume) path() string { return v.dir }

func (v *volume) mountAgain(ctx context.Context) error {
	if err := v.unmount(ctx); err != nil {
		return err
	}
	return v.remount(ctx)
}

// freeze stops a process and returns when none of its threads runs any more. One that the kernel is busy for stops before it comes back.
func freeze(ctx context.Context, server *child.Process) error {
	if err := server.Signal(unix.SIGSTOP); err != nil {
		return nil // it has ended
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-server.Exited():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if stopped(server.PID()) {
				return nil
			}
		}
	}
}

// stopped reports whether each thread is stopped, or waits for a disk.
func stopped(pid int) bool {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, name := range stats {
		text, reading := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(text), ") ")
		if reading == nil && !strings.HasPrefix(rest, "T") && !strings.HasPrefix(rest, "D") {
			return false
		}
	}
	return err == nil && len(stats) > 0
}

// The request FS_IOC_SHUTDOWN, _IOR('X', 125, u32), and its flag for "do not flush the log" (fs/ext4/ext4.h, fs/xfs/xfs_fs.h).
const (
	shutdownRequest = 0x8004587d
	noLogFlush      = 2
)

func (v *volume) shutDown() error {
	d, err := os.Open(v.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	flag := uint32(noLogFlush)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, d.Fd(), shutdownRequest, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		return os.NewSyscallError("ioctl FS_IOC_SHUTDOWN", errno)
	}
	return nil
}

func (v *volume) remount(ctx context.Context) error {
	err := mounts.Do(ctx, "mount", "-o", "loop,"+v.mount, v.image, v.dir)
	v.mounted = err == nil
	return err
}

func (v *volume) unmount(ctx context.Context) error {
	if !v.mounted {
		return nil
	}
	v.mounted = false
	return mounts.Do(ctx, "umount", v.dir)
}
