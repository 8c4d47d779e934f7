package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

func timeRows() []row {
	return []row{
		{"row_68_times_out_of_range", false, rowTimesOutOfRange},
		{"row_69_ten_minutes_ahead", false, rowTenMinutesAhead},
		{"row_70_five_years_old", false, rowFiveYearsOld},
		{"row_71_odd_times", false, rowOddTimes},
	}
}

func (r *raid) at(what, moment string) {
	r.t.Helper()
	r.everywhere(what, `{"time":`+moment+`}`)
}

func rowTimesOutOfRange(r *raid) {
	ahead := time.Now().Add(24*time.Hour + 5*time.Minute)
	for _, c := range [][2]string{
		{"1969", `"1969-12-31T23:59:59.999999Z"`}, {"year 0", `"0000-01-01T00:00:00Z"`}, {"year 10000", `"10000-01-01T00:00:00Z"`}, {"-1", "-1"}, {"-0.000001", "-0.000001"},
		{"more than 24 h ahead", `"` + ahead.UTC().Format(time.RFC3339) + `"`}, {"more than 24 h ahead, in seconds", fmt.Sprint(ahead.Unix())}, {"9999", `"9999-12-31T23:59:59Z"`},
		{"1e18", "1000000000000000000"}, {"1e300", "1e300"}, {"2^63-1", "9223372036854775807"},
		{"1970", "0"}, {"1970 in text", `"1970-01-01T00:00:00Z"`},
	} {
		r.at(c[0], c[1])
	}
}

// sentAt sends an event of a time and expects just that to be stored.
func (r *raid) sentAt(what string, moment time.Time) {
	r.t.Helper()
	text := moment.UTC().Truncate(time.Microsecond).Format("2006-01-02T15:04:05.000000Z")
	a := r.post("POST /v1/streams/typed/events", typeJSON, fmt.Sprintf(`{"id":"%s","time":"%s"}`, what, text))
	r.note(what, a)
	r.await(a)
	if got := r.p.sql("select strftime(time, '%Y-%m-%dT%H:%M:%S.%fZ'), time > received_at from typed where id = '"+what+"'", ""); got != fmt.Sprintf(`[["%s",%v]]`, text, moment.After(time.Now())) {
		r.t.Errorf("sent %s, stored %s", text, got)
	}
}

func rowTenMinutesAhead(r *raid) { r.sentAt("ten minutes ahead", time.Now().Add(10*time.Minute)) }

// rowFiveYearsOld also sends events of 2,000 days at once: what is stored is cut by the log's time, not theirs.
func rowFiveYearsOld(r *raid) {
	before := r.files()
	r.sentAt("five years old", time.Now().AddDate(-5, 0, 0))
	var lines strings.Builder
	for day := range 2000 {
		fmt.Fprintf(&lines, "{\"time\":%d}\n", 86400*(1+day))
	}
	a := r.post(toClicks, typeNDJSON, lines.String())
	r.note("of 2,000 days", a)
	r.await(a)
	if after := r.files(); after > before+4 {
		r.t.Errorf("%d files became %d", before, after)
	}
}

// files counts what the program stored its data in.
func (r *raid) files() int {
	r.t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(r.p.dir, "data"), func(string, fs.DirEntry, error) error { n++; return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func rowOddTimes(r *raid) {
	for _, text := range []string{
		"2016-12-31T23:59:60Z", "2016-12-31T23:59:61Z", "2020-01-01T24:00:00Z", "2020-01-01T24:00:01Z", "2020-02-30T00:00:00Z", "2021-02-29T00:00:00Z", "2020-13-01T00:00:00Z", "2020-00-01T00:00:00Z",
		"2020-01-01T12:60:00Z", "2020-01-01T00:00:00+14:00", "2020-01-01T00:00:00-23:59", "2020-01-01T00:00:00+24:00", "2020-01-01T00:00:00+00:60", "2020-01-01T00:00:00+0000", "2020-01-01T00:00:00",
		"2020-01-01 00:00:00Z", "2020-01-01t00:00:00z", "2020-01-01T00:00:00.Z", "2020-01-01T00:00:00.1234567890123Z", "2020-01-01T00:00:00,5Z", "2020-01-01", "2020-W01-1", "20200101T000000Z",
		"2020-01-01T00:00Z", "2020-1-1T0:0:0Z", "2020-01-01T00:00:00 UTC", "2020-01-01T00:00:00Z\\u0000", "now", "", "1577836800", "٢٠٢٠-01-01T00:00:00Z", "1970-01-01T00:00:00+14:00", strings.Repeat("2", 10_000),
	} {
		r.note(fmt.Sprintf("%.40q", text), r.post(toClicks, typeJSON, `{"time":"`+text+`"}`))
	}
	for _, value := range []string{"1.5", "1577836800.123456789", "1577836800000", "1577836800000000", "1577836800000000000", "true", "{}", "[]", "null"} {
		r.note(value, r.post(toClicks, typeJSON, `{"time":`+value+`}`))
	}
}
