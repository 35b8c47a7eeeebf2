// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package schema holds the SQL of the tables. It has no connection.
package schema

import (
	_ "embed"
	"fmt"
	"strings"
	"time"
)

// Version is of the tables as this release writes them.
const Version = 1

// Tables are all that hold rows with a window_timestamp.
var Tables = []string{"ws_metrics", "ws_metrics_extra", "ws_histograms"}

//go:embed tables.sql
var tables string

//go:embed timescaledb.sql
var timescale string

//go:embed policies.sql
var policies string

// Options decide what the schema uses.
type Options struct {
	Timescale bool          // the extension is installed
	Policies  bool          // its jobs are there: they are not in the edition under the Apache license
	Retention time.Duration // 0: nothing is deleted
}

// Create makes the tables of Version in a database without them.
func Create(o Options) string {
	if o.Timescale {
		return strings.ReplaceAll(tables, partitioning, "") + timescale + record()
	}
	return tables + record()
}

const partitioning = " PARTITION BY RANGE (window_timestamp)"

func record() string { return fmt.Sprintf("INSERT INTO ws_schema (version) VALUES (%d);\n", Version) }

// Policies are the jobs of TimescaleDB with what is configured now; they replace those of before.
func Policies(o Options) string {
	if !o.Timescale || !o.Policies {
		return ""
	}
	var text strings.Builder
	text.WriteString(policies)
	for _, table := range Tables {
		fmt.Fprintf(&text, "SELECT remove_retention_policy('%s', if_exists => true);\n", table)
		if o.Retention > 0 {
			fmt.Fprintf(&text, "SELECT add_retention_policy('%s', INTERVAL '%d seconds');\n", table, int64(o.Retention.Seconds()))
		}
	}
	return text.String()
}

// Print is the complete schema for an administrator. In plain PostgreSQL it has a partition for all rows, since the
// exporter creates no others where create_schema is false.
func Print(o Options) string {
	var text strings.Builder
	text.WriteString("BEGIN;\n" + Create(o) + Policies(o))
	if !o.Timescale {
		for _, table := range Tables {
			fmt.Fprintf(&text, "CREATE TABLE %[1]s_default PARTITION OF %[1]s DEFAULT;\n", table)
		}
	}
	text.WriteString("COMMIT;\n")
	return text.String()
}

// Partition is a day of a table in plain PostgreSQL.
type Partition struct {
	Table string
	Day   time.Time // midnight, UTC
}

const day = 24 * time.Hour

// PartitionAt is the partition of a moment in unix ms.
func PartitionAt(table string, ms int64) Partition {
	return Partition{Table: table, Day: time.UnixMilli(ms).UTC().Truncate(day)}
}

// Name is of the partition's table, such as ws_metrics_p20240513.
func (p Partition) Name() string { return p.Table + p.Day.Format("_p20060102") }

// ParsePartition reads a Name.
func ParsePartition(table, name string) (Partition, bool) {
	at, err := time.Parse("_p20060102", strings.TrimPrefix(name, table))
	return Partition{Table: table, Day: at}, err == nil && strings.HasPrefix(name, table)
}

// Create makes the partition, unless it is there.
func (p Partition) Create() string {
	const layout = "2006-01-02 15:04:05Z07:00"
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s PARTITION OF %s FOR VALUES FROM ('%s') TO ('%s')",
		p.Name(), p.Table, p.Day.Format(layout), p.Day.Add(day).Format(layout))
}

// ExpiredAt reports whether all rows of the partition are older than the retention.
func (p Partition) ExpiredAt(now time.Time, retention time.Duration) bool {
	return retention > 0 && !p.Day.Add(day).After(now.Add(-retention))
}
