package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"penstock"
)

// manifest says which files a shard must have: without it a file that went missing at the front would be taken for one that
// was removed for its age. It is written anew, never in place, before what it says comes true. docs/format/shard.md.
type manifest struct {
	Version  int      `json:"version"`
	Features []string `json:"required_features"`

	First int   `json:"first_file"` // what lies below was removed
	Gaps  []int `json:"gaps"`       // files that do not begin where the one before ends: rows between are lost, and given up
	// Letters are files that hold open letters of files that were removed: the log cannot bring these again.
	Letters []int `json:"letters"`
	// States are files that hold states of views of files that were removed: rows that are gone counted in these.
	States []int `json:"states"`
}

// The manifest's name within a shard's directory, and that of one being written.
const (
	manifestName    = "manifest"
	manifestTemp    = "manifest.tmp"
	manifestVersion = 1
)

// readManifest returns the manifest of a directory, nil if there is none. It fails with Conflict if a newer version wrote it,
// with Corrupt if it cannot be read.
func readManifest(dir string) (*manifest, error) {
	op := "read " + filepath.Join(dir, manifestName)
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, penstock.Wrap(penstock.Unavailable, op, err)
	}
	end := bytes.LastIndex(data, []byte("crc32c "))
	if end < 0 || string(data[end:]) != checksumLine(data[:end]) {
		return nil, penstock.Errorf(penstock.Corrupt, op, "the checksum differs")
	}
	var m manifest
	if err := json.Unmarshal(data[:end], &m); err != nil {
		return nil, penstock.Wrap(penstock.Corrupt, op, err)
	}
	if m.Version != manifestVersion || len(m.Features) > 0 {
		return nil, penstock.Errorf(penstock.Conflict, op, "version %d with features %q is not known: a newer version wrote it", m.Version, m.Features)
	}
	return &m, nil
}

// checksumLine is the last line of a manifest: what it says removes files.
func checksumLine(text []byte) string {
	return fmt.Sprintf("crc32c %08x\n", crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)))
}

func (m manifest) encode() ([]byte, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	text = append(text, '\n')
	return append(text, checksumLine(text)...), err
}

// write replaces the manifest of a directory. It is durable when write returns.
func (m manifest) write(dir string) error {
	m.Version, m.Features = manifestVersion, []string{}
	m.Gaps, m.Letters, m.States = append([]int{}, m.Gaps...), append([]int{}, m.Letters...), append([]int{}, m.States...) // a list that is empty is written as one
	text, err := m.encode()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, manifestTemp), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, manifestTemp), filepath.Join(dir, manifestName)); err != nil {
		return err
	}
	return syncDir(dir)
}
