package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/eventlog/disk"
	"penstock/internal/vfs"
)

func newLogCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log verify|dump DIR",
		Short: "Reads a log directory without a server",
		Long: "Reads the log in a data directory, or a log directory by itself, and changes nothing. The log may be in use; its\n" +
			"newest segment then may look torn.",
	}
	cmd.AddCommand(newLogVerifyCommand(p), newLogDumpCommand(p))
	return cmd
}

func newLogVerifyCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "Checks every byte of a log; exit status 1 and the exact ranges if some are damaged",
		Long: "Checks every byte of a log: whether the disk gives back what was written, whether each event still has the checksum that it was\n" +
			"accepted with, whether the totals are those of the events. The checksums need the cluster.json beside the log. Exit status 1\n" +
			"and the exact ranges if some are damaged.",
		Example: "  penstock log verify ./penstock-data",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := logDirectory(args[0])
			c, err := clusterBeside(dir)
			if err != nil {
				return err
			}
			r, err := disk.Verify(vfs.OS(), dir, disk.VerifyOptions{Cluster: c})
			if err != nil {
				return err
			}
			v := verifiedOf(r)
			v.Checksums = c != nil
			return p.printVerified(v)
		},
	}
}

func newLogDumpCommand(p *program) *cobra.Command {
	var records bool
	cmd := &cobra.Command{
		Use:     "dump DIR",
		Short:   "Shows what a log holds",
		Long:    "Shows what a log holds, a line per block, damage in its place. With -o json only the records, an object per line.",
		Example: "  penstock log dump ./penstock-data\n  penstock log dump ./penstock-data -o json | jq -r .id",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			buffered := bufio.NewWriter(p.stdout)
			var out io.Writer = buffered
			switch {
			case p.wantsJSON():
				records, out = true, &recordFilter{to: buffered}
			case p.format != "":
				return usagef("-o %s: a dump is text, or JSON", p.format)
			}
			err := disk.Dump(vfs.OS(), logDirectory(args[0]), out, disk.DumpOptions{Records: records})
			return errors.Join(buffered.Flush(), err)
		},
	}
	cmd.Flags().BoolVar(&records, "records", false, "also each record, as a line of JSON")
	return cmd
}

// logDirectory returns the log folder of a data directory, or dir itself.
func logDirectory(dir string) string {
	inside := filepath.Join(dir, "log")
	if info, err := os.Stat(inside); err == nil && info.IsDir() {
		return inside
	}
	return dir
}

// clusterBeside returns the cluster of the data directory that a log directory lies in, nil if it lies in none.
func clusterBeside(dir string) (*penstock.Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	held, err := readCluster(filepath.Join(filepath.Dir(dir), clusterName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := held.cluster()
	return &c, err
}

// recordFilter lets only those lines of a dump pass that are records. Each Write holds whole lines.
type recordFilter struct{ to io.Writer }

// Write implements io.Writer.
func (f *recordFilter) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("{")) {
		return f.to.Write(b)
	}
	return len(b), nil
}

// verified is what `log verify` found: the object of -o json.
type verified struct {
	OK          bool                `json:"ok"`
	Checksums   bool                `json:"checksums"` // those of the events were taken again
	Log         string              `json:"log"`
	Cluster     string              `json:"cluster"`
	Segments    int                 `json:"segments"`
	Bytes       penstock.Bytes      `json:"bytes"`
	Blocks      int                 `json:"blocks"`
	Records     int                 `json:"records"`
	Unwitnessed int                 `json:"unwitnessed_blocks"` // at the end: perhaps acknowledged, kept by the next start
	Torn        penstock.Bytes      `json:"torn_bytes"`         // at the end: never acknowledged, dropped by the next start
	Partitions  []verifiedPartition `json:"partitions"`
	Damages     []verifiedDamage    `json:"damages"`
}

type verifiedPartition struct {
	Partition penstock.Partition `json:"partition"`
	First     penstock.Position  `json:"first"`
	Next      penstock.Position  `json:"next"`
}

type verifiedDamage struct {
	Segment disk.SegmentID `json:"segment"`
	From    int64          `json:"from"` // bytes of the segment's file
	To      int64          `json:"to"`
	Why     string         `json:"why"`
	Lost    []lostRange    `json:"lost"` // at most these records
}

type lostRange struct {
	Partition penstock.Partition `json:"partition"`
	From      penstock.Position  `json:"from"`
	Next      penstock.Position  `json:"next"`
}

func verifiedOf(r disk.Report) verified {
	v := verified{
		OK: len(r.Damages) == 0, Log: r.Log, Cluster: r.Cluster, Segments: r.Segments, Bytes: r.Bytes, Blocks: r.Blocks,
		Records: r.Records, Unwitnessed: r.Unwitnessed, Torn: r.Torn,
		Partitions: []verifiedPartition{}, Damages: []verifiedDamage{},
	}
	for _, p := range r.Next.Partitions() {
		v.Partitions = append(v.Partitions, verifiedPartition{p, r.First[p], r.Next[p]})
	}
	for _, d := range r.Damages {
		damage := verifiedDamage{Segment: d.Segment, From: d.From, To: d.To, Why: d.Why, Lost: []lostRange{}}
		for _, l := range d.Lost {
			damage.Lost = append(damage.Lost, lostRange(l))
		}
		v.Damages = append(v.Damages, damage)
	}
	return v
}

// printVerified writes the report. Damage is an error, after the report.
func (p *program) printVerified(v verified) error {
	if p.wantsJSON() {
		if err := p.printJSON(v); err != nil {
			return err
		}
	} else {
		v.write(p.stdout)
	}
	if !v.OK {
		return &exitError{exitFailed, errors.New("the log is damaged")}
	}
	return nil
}

func (v verified) write(w io.Writer) {
	fmt.Fprintf(w, "log %s of cluster %s\n%s segments, %s bytes, %s blocks, %s records\n", v.Log, v.Cluster,
		grouped(int64(v.Segments)), grouped(int64(v.Bytes)), grouped(int64(v.Blocks)), grouped(int64(v.Records)))
	if v.Unwitnessed > 0 {
		fmt.Fprintf(w, "%d blocks at the end may have been acknowledged; the next start keeps them\n", v.Unwitnessed)
	}
	if v.Torn > 0 {
		fmt.Fprintf(w, "%s bytes at the end are torn and were never acknowledged; the next start drops them\n", grouped(int64(v.Torn)))
	}
	for _, d := range v.Damages {
		fmt.Fprintf(w, "damage: segment %d, bytes %d to %d: %s\n", d.Segment, d.From, d.To, d.Why)
		for _, l := range d.Lost {
			fmt.Fprintf(w, "  lost: partition %d, %s up to %s\n", l.Partition, l.From, l.Next)
		}
	}
	if !v.Checksums {
		fmt.Fprintln(w, "there is no cluster.json beside the log: the checksums of the events were not taken again")
	}
	if v.OK {
		fmt.Fprintln(w, "whole")
	}
}
