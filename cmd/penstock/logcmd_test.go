package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"penstock"
	"penstock/eventlog/disk"
	"penstock/internal/checksum"
	"penstock/internal/vfs"
)

// writtenLog makes a data directory whose log has two blocks of three events, and returns it with the segment's path.
func writtenLog(t *testing.T) (dir, segment string) {
	t.Helper()
	dir = t.TempDir()
	log, err := disk.Open(vfs.OS(), filepath.Join(dir, "log"), disk.Options{Cluster: stageCluster})
	if err != nil {
		t.Fatal(err)
	}
	builder := penstock.NewBlockBuilder(penstock.NewPartitioner(stageCluster))
	for b := range 2 {
		builder.Reset(penstock.DefaultTenant, "clicks", penstock.MicrosOf(stageNoon), 1<<10)
		for i := range 3 {
			id := fmt.Appendf(nil, "id-%d-%d", b, i)
			e := penstock.Event{ID: id, Key: []byte("k"), Time: penstock.MicrosOf(stageNoon), Body: fmt.Appendf(nil, `{"id":%q}`, id)}
			e.Sum = checksum.NewHasher(stageCluster).Stream(penstock.DefaultTenant, "clicks").Sum(e.Key, e.ID, e.Body)
			builder.Add(e)
		}
		if err := log.Append(t.Context(), builder.Take()); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatal("no segment", err)
	}
	return dir, segments[0]
}

func offlineCommand(t *testing.T, args ...string) outcome {
	t.Helper()
	return runOnStage(t.Context(), "http://127.0.0.1:1", strings.NewReader(""), args...)
}

func TestLogVerify(t *testing.T) {
	dir, segment := writtenLog(t)
	for _, where := range []string{dir, filepath.Join(dir, "log")} {
		o := offlineCommand(t, "log", "verify", where)
		if o.status != exitDone || !strings.Contains(o.stdout, "2 blocks, 6 records") || !strings.HasSuffix(o.stdout, "whole\n") {
			t.Errorf("%s: %+v", where, o)
		}
	}
	before := verifiedJSON(t, dir, exitDone)
	if !before.OK || before.Records != 6 || len(before.Partitions) != stageCluster.Partitions || len(before.Damages) != 0 {
		t.Errorf("%+v", before)
	}

	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(text, []byte("id-0-1"))
	if at < 0 {
		t.Fatal("the event is not in the segment as it is")
	}
	text[at]++
	if err := os.WriteFile(segment, text, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := verifiedJSON(t, dir, exitFailed)
	if damaged.OK || len(damaged.Damages) != 1 {
		t.Fatalf("%+v", damaged)
	}
	d := damaged.Damages[0]
	if d.From > int64(at) || d.To <= int64(at) || len(d.Lost) != 1 || d.Lost[0].Next.Offset-d.Lost[0].From.Offset != 3 {
		t.Errorf("%+v, the damage is at %d", d, at)
	}
	o := offlineCommand(t, "log", "verify", dir)
	want := fmt.Sprintf("damage: segment %d, bytes %d to %d: ", d.Segment, d.From, d.To)
	if o.status != exitFailed || !strings.Contains(o.stdout, want) || !strings.Contains(o.stdout, "  lost: partition ") || o.stderr != "penstock: the log is damaged\n" {
		t.Errorf("%+v, want %s", o, want)
	}
}

func verifiedJSON(t *testing.T, dir string, status int) verified {
	t.Helper()
	var v verified
	o := offlineCommand(t, "log", "verify", dir, "-o", "json")
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil || o.status != status {
		t.Fatalf("%+v: %v", o, err)
	}
	return v
}

// TestLogVerifyTakesChecksumsAgain changes an event and mends the frame around it, as if the event had been wrong before it was framed.
func TestLogVerifyTakesChecksumsAgain(t *testing.T) {
	dir, segment := writtenLog(t)
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(text, []byte(`{"id":"id-0-1"}`))
	if at < 0 {
		t.Fatal("the event is not in the segment as it is")
	}
	text[at+len(`{"id":"`)] = 'x'
	mendFrame(t, text, at)
	if err := os.WriteFile(segment, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if blind := verifiedJSON(t, dir, exitDone); blind.Checksums || !blind.OK {
		t.Errorf("without cluster.json: %+v", blind)
	}
	if o := offlineCommand(t, "log", "verify", dir); !strings.Contains(o.stdout, "no cluster.json beside the log: the checksums") {
		t.Errorf("%+v", o)
	}
	stageFile := clusterFile{
		Format: clusterFormat, ID: stageCluster.ID, PartitionKey: hex.EncodeToString(stageCluster.Key[:]), Partitions: stageCluster.Partitions,
	}
	if err := writeFileSynced(filepath.Join(dir, clusterName), stageFile); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{dir, filepath.Join(dir, "log")} {
		v := verifiedJSON(t, where, exitFailed)
		if !v.Checksums || v.OK || len(v.Damages) == 0 || v.Damages[0].From > int64(at) || v.Damages[0].To <= int64(at) || !strings.Contains(v.Damages[0].Why, "checksum") {
			t.Errorf("%s, where the event is at %d: %+v", where, at, v)
		}
	}
	stageFile.PartitionKey = strings.Repeat("ab", 16)
	if err := writeFileSynced(filepath.Join(dir, clusterName), stageFile); err != nil {
		t.Fatal(err)
	}
	if o := offlineCommand(t, "log", "verify", dir); o.status == exitDone {
		t.Errorf("with another cluster's key: %+v", o)
	}
}

// mendFrame makes the checksums of the frame around a place of segment 1 fit what it holds (docs/format/segment.md).
func mendFrame(t *testing.T, segment []byte, at int) {
	t.Helper()
	const head = 32
	sums := crc32.MakeTable(crc32.Castagnoli)
	from := int(binary.LittleEndian.Uint32(segment[12:]))
	for {
		frame := segment[from:]
		if string(frame[4:6]) != "FR" {
			t.Fatalf("no frame at %d", from)
		}
		length := int(binary.LittleEndian.Uint32(frame[8:]))
		if next := from + (head+length+7)/8*8; at >= next {
			from = next
			continue
		}
		binary.LittleEndian.PutUint32(frame[12:], crc32.Checksum(frame[head:head+length], sums))
		place := binary.LittleEndian.AppendUint64(slices.Clone(segment[16:24]), uint64(from))
		binary.LittleEndian.PutUint32(frame, crc32.Checksum(append(place, frame[4:head]...), sums))
		return
	}
}

func TestLogDump(t *testing.T) {
	dir, _ := writtenLog(t)
	text := offlineCommand(t, "log", "dump", dir)
	if text.status != exitDone || strings.Count(text.stdout, " block default/clicks, 3 records") != 2 || strings.Contains(text.stdout, "id-0-1") {
		t.Errorf("%+v", text)
	}
	records := offlineCommand(t, "log", "dump", dir, "-o", "json")
	lines := strings.Split(strings.TrimSuffix(records.stdout, "\n"), "\n")
	if records.status != exitDone || len(lines) != 6 {
		t.Fatalf("%+v", records)
	}
	var r struct{ ID, Key, Body string }
	if err := json.Unmarshal([]byte(lines[4]), &r); err != nil || r.ID != "id-1-1" || r.Key != "k" || r.Body != `{"id":"id-1-1"}` {
		t.Errorf("%+v, %v", r, err)
	}
	both := offlineCommand(t, "log", "dump", dir, "--records")
	if strings.Count(both.stdout, "\n{") != 6 || !strings.Contains(both.stdout, " block ") {
		t.Errorf("%+v", both)
	}
}
