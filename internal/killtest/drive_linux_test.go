package killtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// forgettings are what a file system may do with what was not synced.
var forgettings = [...]struct {
	name     string
	survives func(*rand.Rand) chance
}{
	{"POSIX, nothing unsynced survives", nothing},
	{"POSIX, some of it survives", some},
}

// drive is a forgetful file system that is mounted.
type drive struct {
	dir      string
	survives func(*rand.Rand) chance
	random   *rand.Rand
	holds    *forgetful
	server   *fuse.Server
}

func newDrive(t *testing.T, survives func(*rand.Rand) chance, seed uint64) *drive {
	t.Helper()
	d := &drive{dir: t.TempDir(), survives: survives, random: rand.New(rand.NewPCG(seed, 1)), holds: newForgetful()}
	t.Cleanup(func() {
		if err := d.unmount(); err != nil {
			t.Error(err)
		}
	})
	if err := d.mount(); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *drive) path() string { return d.dir }

func (d *drive) shutDown() error {
	d.holds = d.holds.loseUnsynced(d.survives(d.random))
	return nil
}

func (d *drive) mountAgain(context.Context) error { return errors.Join(d.unmount(), d.mount()) }

func (d *drive) mount() error {
	server, err := fuse.NewServer(front{fuse.NewDefaultRawFileSystem(), d.holds}, d.dir, &fuse.MountOptions{
		DirectMountStrict: true, FsName: "forgetful", Name: "forgetful", MaxWrite: 1 << 20, DisableReadDirPlus: true, DisableXAttrs: true,
	})
	if err != nil {
		return err
	}
	d.server = server
	go server.Serve()
	return server.WaitMount()
}

func (d *drive) unmount() error {
	if d.server == nil {
		return nil
	}
	server := d.server
	d.server = nil
	return server.Unmount()
}

// missingForDrives names what a machine lacks.
func missingForDrives() string {
	if os.Geteuid() != 0 {
		return "it takes root"
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return "there is no FUSE"
	}
	return ""
}

// checkForgets fails unless a file that was synced is lost with its name, and found after its directory was synced.
func checkForgets(t *testing.T) {
	t.Helper()
	d := newDrive(t, nothing, 0)
	checkLoss(t.Context(), t, d)
	made, named := filepath.Join(d.dir, "made"), filepath.Join(d.dir, "named")
	write(t, made, true)
	if err := os.Rename(filepath.Join(d.dir, "kept"), named); err != nil {
		t.Fatal(err)
	}
	if err := d.shutDown(); err != nil {
		t.Fatal(err)
	}
	if err := d.mountAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{made, named} {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s is there although its directory was not synced: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(d.dir, "kept")); err != nil {
		t.Fatal(err)
	}
}
