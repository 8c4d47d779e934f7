package disktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"penstock/internal/mounts"
)

// disk is a file system of the test's own, in memory or on a loop device that goes when it is unmounted.
type disk struct {
	dir     string
	mount   []string
	mounted bool
}

// tmpfs mounts a file system in memory, of that size.
func tmpfs(t *testing.T, dir, size string) *disk {
	t.Helper()
	return newDisk(t, &disk{dir: dir, mount: []string{"mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", dir}})
}

// ext4 makes a file system in a sparse file and mounts it.
func ext4(t *testing.T, dir string, size int64, options ...string) *disk {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		t.Fatal(err)
	}
	if err := mounts.Do(t.Context(), append(append([]string{"mkfs.ext4", "-q", "-F"}, options...), image)...); err != nil {
		t.Fatal(err)
	}
	return newDisk(t, &disk{dir: dir, mount: []string{"mount", "-o", "loop,errors=remount-ro", image, dir}})
}

func newDisk(t *testing.T, d *disk) *disk {
	t.Helper()
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.unmount(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := d.attach(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What mkfs made is no data of the program's.
	if err := os.RemoveAll(filepath.Join(d.dir, "lost+found")); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *disk) attach(ctx context.Context) error {
	err := mounts.Do(ctx, d.mount...)
	d.mounted = err == nil
	return err
}

func (d *disk) unmount(ctx context.Context) error {
	if !d.mounted {
		return nil
	}
	d.mounted = false
	return mounts.Do(ctx, "umount", d.dir)
}

// grow gives a file system in memory another size.
func (d *disk) grow(ctx context.Context, size string) error {
	return mounts.Do(ctx, "mount", "-o", "remount,size="+size, d.dir)
}

// foreign is the name of a file that is none of the program's.
const foreign = "foreign"

// fill takes all space that is free with a file, to the last block.
func (d *disk) fill() error {
	f, err := os.Create(filepath.Join(d.dir, foreign))
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 20; size >= 1<<12; {
		_, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			return err
		}
	}
	return nil
}

// clear gives the space back.
func (d *disk) clear() error { return os.Remove(filepath.Join(d.dir, foreign)) }

// crowd makes empty files until there are no more inodes, and returns how many.
func (d *disk) crowd() int {
	for n := 0; ; n++ {
		if err := os.WriteFile(d.empty(n), nil, 0o600); err != nil {
			return n
		}
	}
}

// uncrowd removes what crowd made.
func (d *disk) uncrowd(n int) error {
	var all []error
	for i := range n {
		all = append(all, os.Remove(d.empty(i)))
	}
	return errors.Join(all...)
}

func (d *disk) empty(n int) string { return filepath.Join(d.dir, fmt.Sprintf("%s-%d", foreign, n)) }

// freeze stops all writing to a file system, until thaw.
func (d *disk) freeze(ctx context.Context) error { return mounts.Do(ctx, "fsfreeze", "-f", d.dir) }

func (d *disk) thaw(ctx context.Context) error { return mounts.Do(ctx, "fsfreeze", "-u", d.dir) }

// fault lets ext4 meet an error of its own, after which it takes no more writes until it is mounted anew.
func (d *disk) fault() error {
	var s syscall.Stat_t
	if err := syscall.Stat(d.dir, &s); err != nil {
		return err
	}
	name, err := os.Readlink(fmt.Sprintf("/sys/dev/block/%d:%d", s.Dev>>8&0xfff, s.Dev&0xff))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("/sys/fs/ext4", filepath.Base(name), "trigger_fs_error"), []byte("a test"), 0)
}
