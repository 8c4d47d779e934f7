// Command views makes the plots of what views cost and save, from results that bench/views.sh has kept:
//
//	go run ./bench/views -out bench bench/results/*-views.jsonl
//
// What several results say of the same goes into one median.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "bench", "the directory for the plots")
	flag.Parse()
	if err := plot(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "views:", err)
		os.Exit(1)
	}
}

// plot reads the results and writes a file for each plot that they have something for.
func plot(out string, paths []string) error {
	all := &results{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := all.read(text); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
	charts := all.charts()
	if len(charts) == 0 {
		return fmt.Errorf("no results of views in %d files: usage: views [-out DIRECTORY] RESULTS.jsonl", len(paths))
	}
	for _, c := range charts {
		path := filepath.Join(out, c.file)
		if err := os.WriteFile(path, c.svg(), 0o644); err != nil { //nolint:gosec // a picture for everyone
			return err
		}
		fmt.Println(path)
	}
	return nil
}
