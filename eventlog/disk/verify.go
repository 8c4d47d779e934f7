package disk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

// Report is what Verify found.
type Report struct {
	Log, Cluster string
	Segments     int
	Bytes        penstock.Bytes
	Blocks       int
	Records      int
	First, Next  penstock.Positions
	Unwitnessed  int            // blocks at the end that may have been acknowledged; the next start keeps them
	Torn         penstock.Bytes // at the end, surely never acknowledged; the next start drops them
	Damages      []Damage
}

// VerifyOptions says what Verify checks beyond what the log's own checksums say.
type VerifyOptions struct {
	Cluster *penstock.Cluster // the log's: the checksum of every record is taken again; nil: it is not, which needs the cluster's key
}

// Verify reads a log directory from beginning to end and changes nothing. It needs no lock; of a log that is open the
// newest segment may look torn. It fails with Corrupt only if it cannot be told what the directory holds, and with Conflict if that
// belongs to another cluster: damage is in the report.
func Verify(files vfs.FS, dir string, o VerifyOptions) (Report, error) {
	a := newAuditor(o)
	err := offline(files, dir, offlineVisitor{
		manifest: a.manifest, segment: a.segment, frame: a.frame, leave: a.leave, end: a.end,
		damage: func(d Damage) error { a.spoilt = true; return a.found(d) },
	})
	return a.report, err
}

// DumpOptions says how much Dump tells.
type DumpOptions struct {
	Records bool // each record, as a line of JSON
}

// Dump writes what a log directory holds as text, a line per frame, damage in its place. It changes nothing.
func Dump(files vfs.FS, dir string, w io.Writer, o DumpOptions) error {
	printf := func(format string, args ...any) error {
		_, err := fmt.Fprintf(w, format, args...)
		return err
	}
	block := func(at int64, b *penstock.Block) error {
		if err := printf("  %d block %s/%s, %d records,%s\n", at, b.Tenant, b.Stream, b.Len(), groupsText(b)); err != nil || !o.Records {
			return err
		}
		return dumpRecords(w, b)
	}
	return offline(files, dir, offlineVisitor{
		manifest: func(m manifest) error {
			return printf("log %s of cluster %s, epoch %d, %d partitions\n", m.Log, m.Cluster, m.Epoch, m.Partitions)
		},
		segment: func(s *segment) error {
			return printf("segment %d, epoch %d, began %s, %d bytes, ends at %d, after segment %d that ends at %d\n", s.id, s.epoch,
				s.logTime.Time().Format(time.RFC3339Nano), s.size, s.end, s.prev, s.prevEnd)
		},
		frame: func(f frame, b *penstock.Block) error {
			if b == nil {
				return dumpCommit(printf, f)
			}
			return block(f.at, b)
		},
		damage: func(d Damage) error { return printf("  %d damage up to %d: %s\n", d.From, d.To, d.Why) },
		end: func(_ []*segment, t tailScan) error {
			for _, b := range t.blocks {
				if err := block(t.end, b); err != nil {
					return err
				}
			}
			return printf("%d blocks at the end are not witnessed, %d bytes are torn\n", len(t.blocks), t.dropped)
		},
	})
}

func dumpCommit(printf func(string, ...any) error, f frame) error {
	c, err := f.commit()
	if err != nil {
		return err
	}
	which := "lanes that changed"
	if c.all {
		which = "all lanes"
	}
	t := newTotals(len(c.next))
	t.set(c.lanes)
	return printf("  %d commit, totals of %d %s\n", f.at, t.lanes, which)
}

func groupsText(b *penstock.Block) string {
	var text []byte
	for _, g := range b.Groups {
		text = fmt.Appendf(text, " p%d %d:%d-%d", g.Partition, b.Epoch, g.First, g.End())
	}
	return string(text)
}

func dumpRecords(w io.Writer, b *penstock.Block) error {
	to := json.NewEncoder(w)
	for r := range b.Records() {
		err := to.Encode(struct {
			Stream    string             `json:"stream"`
			Partition penstock.Partition `json:"partition"`
			Position  string             `json:"position"`
			ReplayOf  penstock.Position  `json:"replay_of,omitzero"`
			ID        string             `json:"id"`
			Key       string             `json:"key"`
			Time      time.Time          `json:"time"`
			Received  time.Time          `json:"received_at"`
			LogTime   time.Time          `json:"log_time"`
			Body      string             `json:"body"`
		}{r.Stream, r.Partition, r.Position.String(), r.ReplayOf, string(r.ID), string(r.Key), r.Time.Time(), r.ReceivedAt.Time(), r.LogTime.Time(), string(r.Body)})
		if err != nil {
			return err
		}
	}
	return nil
}

// offlineVisitor is called for what a directory holds, in order.
type offlineVisitor struct {
	manifest func(manifest) error
	segment  func(*segment) error
	frame    func(frame, *penstock.Block) error
	damage   func(Damage) error
	leave    func()                           // after the frames and damages of a segment; nil: nothing
	end      func([]*segment, tailScan) error // of the last segment; not called if there is none
}

// offline walks a directory with the decoder of recovery and reading.
func offline(files vfs.FS, dir string, v offlineVisitor) error {
	ids, err := listSegments(files, dir)
	if err != nil {
		return penstock.Wrap(penstock.NotFound, "list log", err)
	}
	m, err := readManifest(files, dir)
	if err != nil && len(ids) > 0 {
		m, err = rebuildManifest(files, dir, ids, err)
	}
	if err != nil {
		return errors.Join(penstock.Errorf(penstock.NotFound, "read log", "%s holds no log", dir), err)
	}
	if err := v.manifest(m); err != nil {
		return err
	}
	all, err := loadSegments(files, dir, m, slices.DeleteFunc(ids, func(id SegmentID) bool { return id < m.First }))
	if err != nil || len(all.segments) == 0 {
		return err
	}
	for _, d := range all.damages {
		if err := v.damage(d); err != nil {
			return err
		}
	}
	last := len(all.segments) - 1
	tail, err := scanSegment(files, dir, all.segments)
	if err != nil {
		return err
	}
	for i, seg := range all.segments {
		following := tail.start
		if i < last {
			following = all.segments[i+1].next
		} else if following == nil {
			following = tail.next
		}
		if err := offlineSegment(files, dir, seg, following, v); err != nil {
			return err
		}
	}
	return v.end(all.segments, tail)
}

func offlineSegment(files vfs.FS, dir string, seg *segment, following []penstock.Offset, v offlineVisitor) error {
	if err := v.segment(seg); err != nil {
		return err
	}
	damages, err := walkSegment(files, dir, seg, following, v.frame)
	for _, d := range damages {
		err = errors.Join(err, v.damage(d))
	}
	if v.leave != nil {
		v.leave()
	}
	return err
}
