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
// was removed for its age. It is written anew, never in place, before what it says comes true.
type manifest struct {
	Format   int `json:"format"`
	Features int `json:"features"`

	First int   `json:"first"`          // number of the oldest file; what lies below was removed
	Gaps  []int `json:"gaps,omitempty"` // files that do not begin where the one before ends: rows between are lost, and given up

	Sum string `json:"crc32c"` // of the same text with an empty one: what it says removes files
}

// manifestName is its name within a shard's directory.
const manifestName = "files.json"

// readManifest returns the manifest of a directory, nil if there is none. It fails with Conflict if a newer version wrote it,
// with Corrupt if it cannot be read.
func readManifest(dir string) (*manifest, error) {
	path := filepath.Join(dir, manifestName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, penstock.Wrap(penstock.Unavailable, "read "+path, err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, penstock.Wrap(penstock.Corrupt, "read "+path, err)
	}
	if signed, err := m.encode(); err != nil || !bytes.Equal(signed, text) {
		return nil, penstock.Errorf(penstock.Corrupt, "read "+path, "its checksum is not that of its text")
	}
	if m.Format != fileFormat || m.Features != fileFeatures {
		return nil, penstock.Errorf(penstock.Conflict, "read "+path, "format %d with features %#x is not known to this version", m.Format, m.Features)
	}
	return &m, nil
}

// encode returns the text of a manifest with its checksum.
func (m manifest) encode() ([]byte, error) {
	m.Sum = ""
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	m.Sum = fmt.Sprintf("%08x", crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)))
	text, err = json.Marshal(m)
	return append(text, '\n'), err
}

// write replaces the manifest of a directory. It is durable when write returns.
func (m manifest) write(dir string) error {
	m.Format, m.Features = fileFormat, fileFeatures
	text, err := m.encode()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, manifestName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(dir)
}
