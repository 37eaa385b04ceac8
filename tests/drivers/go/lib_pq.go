// lib_pq.go - the scenario by Go's database/sql with lib/pq, on one connection.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

type step struct {
	verb, rest string
	values     []any
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	check(err)
	return n
}

func valueOf(kind, text string) any {
	switch kind {
	case "int":
		return number(text)
	case "float":
		f, err := strconv.ParseFloat(text, 64)
		check(err)
		return f
	case "bool":
		return text == "true"
	case "bytes":
		b, err := hex.DecodeString(text)
		check(err)
		return b
	case "date":
		t, err := time.Parse("2006-01-02", text)
		check(err)
		return t
	case "timestamp":
		t, err := time.Parse(time.RFC3339, text)
		check(err)
		return t
	case "array":
		list := []sql.NullInt64{}
		for _, w := range strings.Split(text, ",") {
			var n sql.NullInt64
			if w != "null" {
				check(n.Scan(w))
			}
			list = append(list, n)
		}
		return pq.Array(list)
	case "repeat":
		return strings.Repeat("y", number(text))
	case "null":
		return nil
	}
	return text
}

func scenario(path string) []step {
	var steps []step
	f, err := os.Open(path)
	check(err)
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		line := strings.ReplaceAll(in.Text(), "SCHEMA", os.Getenv("DRIVER_SCHEMA"))
		first, rest, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
		if strings.HasPrefix(line, "  ") {
			last := &steps[len(steps)-1]
			last.values = append(last.values, valueOf(first, rest))
		} else if line != "" && line[0] != '#' {
			steps = append(steps, step{verb: first, rest: rest})
		}
	}
	return steps
}

// What the scenario runs on: conn is the one connection, tx the open transaction.
type client struct {
	db       *sql.DB
	conn     *sql.Conn
	tx       *sql.Tx
	prepared map[string]*sql.Stmt
	notices  []string
	heard    []string
}

var ctx = context.Background()

type runner interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

func (d *client) on() runner {
	if d.tx != nil {
		return d.tx
	}
	return d.conn
}

func say(format string, values ...any) {
	fmt.Printf("  "+format+"\n", values...)
}

func shown(v any, kind string) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case []byte:
		switch kind {
		case "BYTEA":
			return "\\x" + hex.EncodeToString(v)
		case "_INT4":
			list := strings.NewReplacer("{", "[", "}", "]", ",", ", ", "NULL", "null")
			return list.Replace(string(v))
		}
		return string(v)
	case time.Time:
		if kind == "DATE" {
			return v.Format("2006-01-02")
		}
		return v.UTC().Format("2006-01-02T15:04:05Z")
	}
	return fmt.Sprint(v)
}

// each calls see with the columns of every row, as database/sql gives them.
func (d *client) each(see func(row []any, kinds []string), query string, values ...any) error {
	rows, err := d.on().QueryContext(ctx, query, values...)
	if err != nil {
		return err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	check(err)
	kinds := make([]string, len(types))
	for i, t := range types {
		kinds[i] = t.DatabaseTypeName()
	}
	for rows.Next() {
		row := make([]any, len(types))
		at := make([]any, len(types))
		for i := range row {
			at[i] = &row[i]
		}
		check(rows.Scan(at...))
		see(row, kinds)
	}
	return rows.Err()
}

func (d *client) do(query string, values ...any) error {
	_, err := d.on().ExecContext(ctx, query, values...)
	return err
}

func (d *client) rows(s step) error {
	return d.each(func(row []any, kinds []string) {
		out := make([]string, len(row))
		for i := range row {
			out[i] = shown(row[i], kinds[i])
		}
		say("%s", strings.Join(out, " | "))
	}, s.rest, s.values...)
}

// numbers is the first column; the count of its rows, and their sum.
func (d *client) numbers(query string) (count, sum int64, err error) {
	err = d.each(func(row []any, _ []string) {
		count++
		sum += row[0].(int64)
	}, query)
	return
}

func (d *client) sum(s step) error {
	count, sum, err := d.numbers(s.rest)
	if err == nil {
		say("%d rows, sum %d", count, sum)
	}
	return err
}

func (d *client) size(s step) error {
	return d.each(func(row []any, _ []string) { say("%d", len(shown(row[0], ""))) }, s.rest)
}

func (d *client) prepare(s step) (err error) {
	name, query, _ := strings.Cut(s.rest, " ")
	d.prepared[name], err = d.on().PrepareContext(ctx, query)
	return
}

func (d *client) run(s step) error {
	name, count, _ := strings.Cut(s.rest, " ")
	out := make([]string, number(count))
	for n := range out {
		if err := d.prepared[name].QueryRow(n).Scan(&out[n]); err != nil {
			return err
		}
	}
	say("%s", strings.Join(out, ", "))
	return nil
}

func (d *client) distinct(s step) error {
	sum := 0
	for n := 0; n < number(s.rest); n++ {
		var got int
		q, err := d.on().PrepareContext(ctx, fmt.Sprintf("select %d", n))
		if err == nil {
			err = q.QueryRow().Scan(&got)
		}
		if err != nil {
			return err
		}
		defer q.Close()
		sum += got
	}
	say("%d", sum)
	return nil
}

func (d *client) begin() (err error) {
	d.tx, err = d.conn.BeginTx(ctx, nil)
	return
}

func (d *client) end(commit bool) error {
	tx := d.tx
	d.tx = nil
	if commit {
		return tx.Commit()
	}
	return tx.Rollback()
}

func (d *client) cursor(s step) error {
	count, query, _ := strings.Cut(s.rest, " ")
	check(d.begin())
	check(d.do("declare by_name cursor for " + query))
	var rows, sum int64
	for {
		got, part, err := d.numbers("fetch " + count + " from by_name")
		check(err)
		if got == 0 {
			break
		}
		rows += got
		sum += part
	}
	check(d.end(true))
	say("%d rows, sum %d", rows, sum)
	return nil
}

func (d *client) copyLines(table string, lines [][]any) (err error) {
	schema, name, _ := strings.Cut(strings.ToLower(table), ".")
	check(d.begin())
	defer func() {
		if e := d.end(err == nil); err == nil {
			err = e
		}
	}()
	q, err := d.tx.Prepare(pq.CopyInSchema(schema, name, "a", "b"))
	if err != nil {
		return err
	}
	for _, values := range lines {
		if _, err = q.Exec(values...); err != nil {
			return err
		}
	}
	if _, err = q.Exec(); err != nil {
		return err
	}
	return q.Close()
}

func (d *client) copyIn(s step) error {
	table, count, _ := strings.Cut(s.rest, " ")
	var lines [][]any
	for n := 1000; n < 1000+number(count); n++ {
		lines = append(lines, []any{n, fmt.Sprintf("copied %d\t\\ ☃", n)})
	}
	return d.copyLines(table, lines)
}

func (d *client) copyBad(s step) error {
	return d.copyLines(s.rest, [][]any{{9000, "copied 9000"}, {"x", "y"}})
}

func (d *client) copyOut(s step) error {
	lines, bytes := 0, 0
	say("(lib/pq has no COPY TO: it is asked for its rows)")
	err := d.each(func(row []any, _ []string) {
		lines++
		for _, v := range row {
			bytes += len(shown(v, "")) + 1
		}
	}, s.rest)
	say("%d lines, %d bytes", lines, bytes)
	return err
}

func (d *client) pipeline(s step) error {
	w := strings.Split(s.rest, " ")
	say("(lib/pq has no pipeline: one statement executed again and again)")
	q, err := d.on().PrepareContext(ctx, "insert into "+w[0]+" values ($1)")
	if err != nil {
		return err
	}
	defer q.Close()
	for n := number(w[1]); n <= number(w[2]); n++ {
		if _, err = q.Exec(n); err != nil {
			return err
		}
	}
	return nil
}

func (d *client) notice(s step) error {
	d.notices = nil
	err := d.do("do $$ begin raise notice '" + s.rest + "'; end $$")
	say("notice: %s", strings.Join(d.notices, ", "))
	return err
}

func (d *client) listen(s step) error {
	channel, text, _ := strings.Cut(s.rest, " ")
	check(d.do("listen " + channel))
	check(d.do("select pg_notify($1, $2)", strings.ToLower(channel), text))
	check(d.do("select 1"))
	say("%s", strings.Join(d.heard, ", "))
	return d.do("unlisten " + channel)
}

func (d *client) largeObject(s step) error {
	size := number(s.rest)
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 % 251)
	}
	say("(lib/pq has no large objects: SQL functions)")
	check(d.begin())
	var oid int64
	var back, all []byte
	check(d.tx.QueryRow("select lo_from_bytea(0, $1)", data).Scan(&oid))
	check(d.tx.QueryRow("select lo_get($1, 10, 5)", oid).Scan(&back))
	check(d.tx.QueryRow("select lo_get($1)", oid).Scan(&all))
	say("\\x%x of %d", back, len(all))
	check(d.do("select lo_unlink($1)", oid))
	return d.end(true)
}

func (d *client) cancel(s step) error {
	cancelled, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		server, err := sql.Open("postgres", os.Getenv("DRIVER_SERVER")+" sslmode=disable")
		check(err)
		defer server.Close()
		for runs := false; !runs; time.Sleep(10 * time.Millisecond) {
			check(server.QueryRow("select exists (select from pg_stat_activity "+
				"where state = 'active' and query = $1)", s.rest).Scan(&runs))
		}
	}()
	_, err := d.conn.ExecContext(cancelled, s.rest)
	// lib/pq has given the connection up by now; database/sql must not give it to us again
	_ = d.conn.Raw(func(any) error { return driver.ErrBadConn })
	var again error
	d.conn, again = d.db.Conn(ctx)
	check(again)
	return err
}

func (d *client) play(s step) error {
	switch s.verb {
	case "do":
		return d.do(s.rest)
	case "rows":
		return d.rows(s)
	case "sum":
		return d.sum(s)
	case "size":
		return d.size(s)
	case "prepare":
		return d.prepare(s)
	case "run":
		return d.run(s)
	case "distinct":
		return d.distinct(s)
	case "begin":
		return d.begin()
	case "commit", "rollback":
		return d.end(s.verb == "commit")
	case "savepoint":
		return d.do("savepoint " + s.rest)
	case "rollback_to":
		return d.do("rollback to " + s.rest)
	case "cursor":
		return d.cursor(s)
	case "copy_in":
		return d.copyIn(s)
	case "copy_bad":
		return d.copyBad(s)
	case "copy_out":
		return d.copyOut(s)
	case "pipeline":
		return d.pipeline(s)
	case "notice":
		return d.notice(s)
	case "listen":
		return d.listen(s)
	case "large_object":
		return d.largeObject(s)
	case "cancel":
		return d.cancel(s)
	}
	panic("no such verb: " + s.verb)
}

func main() {
	d := &client{prepared: map[string]*sql.Stmt{}}
	base, err := pq.NewConnector(os.Getenv("DRIVER_DSN") + " sslmode=disable")
	check(err)
	connector := pq.ConnectorWithNotificationHandler(
		pq.ConnectorWithNoticeHandler(base, func(e *pq.Error) {
			d.notices = append(d.notices, e.Message)
		}), func(n *pq.Notification) {
			d.heard = append(d.heard, n.Channel+" "+n.Extra)
		})
	d.db = sql.OpenDB(connector)
	d.db.SetMaxOpenConns(1)
	d.conn, err = d.db.Conn(ctx)
	check(err)
	for _, s := range scenario(os.Args[1]) {
		if s.verb == "section" {
			fmt.Println(s.rest)
			continue
		}
		if err := d.play(s); err != nil {
			var said *pq.Error
			if !errors.As(err, &said) {
				panic(err)
			}
			say("! %s %s", said.Code, said.Message)
		}
	}
	check(d.conn.Close())
	check(d.db.Close())
}
