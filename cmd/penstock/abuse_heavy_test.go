package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"penstock/internal/edge/edgetest"
)

// endlessJoin is a statement that takes far longer than it may.
const endlessJoin = "select count(*) from range(1000000) a(i), range(1000000) b(j) where i * j % 7 = 3"

// askGuarded sends a statement to the program with tokens and waits for the answer, however long that takes.
func (r *raid) askGuarded(statement string) edgetest.Answer {
	r.t.Helper()
	conn := r.guarded.Dial()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, request("POST /v1/sql", keyRead+"Content-Type: text/plain\r\n", statement))
	return r.guarded.Read(conn)
}

// truncated runs a statement whose answer has to be cut.
func (r *raid) truncated(statement string) edgetest.Answer {
	r.t.Helper()
	a := r.askGuarded(statement)
	var answer struct {
		Truncated bool
		RowCount  int `json:"row_count"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || !answer.Truncated || answer.RowCount != 100_000 {
		r.t.Errorf("%s: %d %.100s (%v)", statement, a.Status, a.Body, err)
	}
	return a
}

// rowPatterns tries every place of a long text for every wildcard. What is answered takes linear time.
func rowPatterns(r *raid) {
	many := strings.Repeat("a%", 30)
	for _, condition := range []string{
		"like '%" + many + "b'", "not like '%" + many + "b'", "like '%a_%a_%a_%b'", "ilike '%" + many + "b'", "glob '*" + strings.ReplaceAll(many, "%", "*") + "b'",
		"like '%" + many + "b' escape '!'", "like s", "~ '(a*)*(a*)*(a*)*b'", "similar to '(a*)*(a*)*b'", "like '%" + strings.Repeat("a", 5000) + "_b'",
	} {
		a := r.askGuarded("select repeat('a', 10000) " + condition + " from (select '%a%a%a%b' as s)")
		r.note(fmt.Sprintf("%.40s", condition), a)
	}
	r.note("a parameter", r.guarded.Send(request("POST /v1/sql", keyRead+typeJSON, `{"query":"select repeat('a', 10000) like $1","params":["%a%a%a%a%b"]}`)))
	for _, statement := range []string{
		"select length(repeat(repeat('a', 10000), 10000))", "select levenshtein(repeat('a', 10000), repeat('b', 10000))", "select damerau_levenshtein(repeat('a', 10000), repeat('b', 10000))",
		"select regexp_matches('x', '((a{0,100}){0,100}){0,100}')", "select format('{:2000000000}', 1)",
	} {
		r.note(statement, r.askGuarded(statement))
	}
}

func rowMemory(r *raid) {
	for _, statement := range []string{
		"select length(array_to_string(range(1000000), repeat('x', 1000)))",
		"select list(a.i || repeat('x', 100)) from range(1000000) a(i), range(100) b(j)",
	} {
		r.note(statement, r.askGuarded(statement))
	}
}

func rowCrossJoin(r *raid) { r.note("a cross join", r.askGuarded(endlessJoin)) }

func rowEndlessRecursion(r *raid) {
	r.note("WITH RECURSIVE", r.askGuarded("with recursive t(i) as (select 1 union all select i + 1 from t) select count(*) from t"))
}

// rowHeavyQueries asks a thousand heavy queries at once: four run, 64 wait, the others are told to come back. Then all who
// asked go away (row 96): a query that came behind them is answered, though theirs had time left.
func rowHeavyQueries(r *raid) {
	const asked, taken = 1000, 4 + 64
	limited := r.statements("query_limit")
	var refused, other atomic.Int64
	var readers sync.WaitGroup
	var conns []net.Conn
	for range asked {
		conn := r.guarded.Dial()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, request("POST /v1/sql", keyRead, endlessJoin))
		conns = append(conns, conn)
		readers.Go(func() {
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				return // it went away before
			}
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode == http.StatusTooManyRequests && strings.Contains(string(body), `"too_many_queries"`) && resp.Header.Get("Retry-After") != "" {
				refused.Add(1)
			} else {
				other.Add(1)
			}
		})
	}
	r.p.eventually("all but those that run and wait are refused", func() bool { return refused.Load() >= asked-taken })
	r.note("an event meanwhile", r.guarded.Send(honestEvent))
	for _, conn := range conns {
		_ = conn.Close()
	}
	readers.Wait()
	r.say("%d at once: 429 too_many_queries for %d, another answer for %d", asked, refused.Load(), other.Load())
	var a edgetest.Answer
	r.p.eventually("there is room again", func() bool { a = r.askGuarded("select 1"); return a.Status != http.StatusTooManyRequests })
	r.note("when all went away", a)
	if now := r.statements("query_limit"); now != limited {
		r.t.Errorf("%s statements came to their limit, %s before", now, limited)
	}
}

// statements returns how many statements ended with a code, as the metrics of the program with tokens show it.
func (r *raid) statements(code string) string {
	r.t.Helper()
	metrics := r.guarded.Send(get("/metrics", keyRead))
	r.guarded.Expect(metrics, http.StatusOK, "")
	found := regexp.MustCompile(`penstock_queries_total\{code="` + code + `"\} (\S+)`).FindStringSubmatch(metrics.Body)
	if found == nil {
		return "0"
	}
	return found[1]
}
