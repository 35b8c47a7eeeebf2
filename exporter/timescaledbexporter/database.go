// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package timescaledbexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/timescaledbexporter/internal/rows"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/timescaledbexporter/internal/schema"
)

// database writes rows. It prepares the tables before the first ones.
type database struct {
	lifetime context.Context // of what outlasts an attempt
	pool     *pgxpool.Pool
	config   *Config
	logger   *zap.Logger
	expiry   sync.WaitGroup

	mutex    sync.Mutex // held while tables and partitions are created
	prepared bool
	daily    bool // the tables are partitioned by day: plain PostgreSQL
	present  map[schema.Partition]bool
}

func newDatabase(lifetime context.Context, pool *pgxpool.Pool, config *Config, logger *zap.Logger) *database {
	return &database{lifetime: lifetime, pool: pool, config: config, logger: logger, present: map[schema.Partition]bool{}}
}

func (d *database) close() {
	d.expiry.Wait()
	d.pool.Close()
}

// write inserts the rows in one transaction and one round trip. A row that is there already is updated if its value
// differs, so that a retry changes nothing.
func (d *database) write(ctx context.Context, batch rows.Rows) error {
	if len(batch.Points)+len(batch.Extra)+len(batch.Histograms) == 0 {
		return nil
	}
	if err := d.prepare(ctx, batch); err != nil {
		return err
	}
	var statements pgx.Batch
	if len(batch.Points) > 0 {
		statements.Queue(insertPoints, pointColumns(batch.Points)...)
	}
	if len(batch.Extra) > 0 {
		statements.Queue(insertExtra, pointColumns(batch.Extra)...)
	}
	if len(batch.Histograms) > 0 {
		statements.Queue(insertHistograms, histogramColumns(batch.Histograms)...)
	}
	return d.pool.SendBatch(ctx, &statements).Close()
}

// prepare creates the tables once, and the partitions of the batch in plain PostgreSQL.
func (d *database) prepare(ctx context.Context, batch rows.Rows) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if !d.prepared {
		if err := d.setUp(); err != nil { //nolint:contextcheck // not cut off by the timeout of an attempt
			return fmt.Errorf("prepare the tables: %w", err)
		}
		d.prepared = true
	}
	if !d.daily || !d.config.CreateSchema {
		return nil
	}
	for _, point := range batch.Points {
		if err := d.partition(ctx, "ws_metrics", point.Time); err != nil {
			return err
		}
	}
	for _, point := range batch.Extra {
		if err := d.partition(ctx, "ws_metrics_extra", point.Time); err != nil {
			return err
		}
	}
	for _, point := range batch.Histograms {
		if err := d.partition(ctx, "ws_histograms", point.Time); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) partition(ctx context.Context, table string, ms int64) error {
	p := schema.PartitionAt(table, ms)
	if d.present[p] {
		return nil
	}
	err := d.locked(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, p.Create())
		return err
	})
	if err != nil {
		return fmt.Errorf("create partition %s: %w", p.Name(), err)
	}
	d.present[p] = true
	return nil
}

// lockKey is of the advisory lock that several collectors take before they change tables.
const lockKey = 0x6363616173 // "ccaas"

func (d *database) locked(ctx context.Context, change func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(lockKey)); err != nil {
			return err
		}
		return change(tx)
	})
}

const setUpTimeout = time.Minute

func (d *database) setUp() error {
	ctx, cancel := context.WithTimeout(d.lifetime, setUpTimeout)
	defer cancel()
	if err := d.locked(ctx, func(tx pgx.Tx) error { return d.migrate(ctx, tx) }); err != nil {
		return err
	}
	err := d.pool.QueryRow(ctx, "SELECT relkind = 'p' FROM pg_class WHERE oid = 'ws_metrics'::regclass").Scan(&d.daily)
	if err != nil {
		return err
	}
	if d.config.CreateSchema && d.config.Retention > 0 && d.daily {
		d.expiry.Go(func() { d.expireHourly() })
	}
	return nil
}

var errNewerSchema = errors.New("is of a newer release; upgrade this collector")

func (d *database) migrate(ctx context.Context, tx pgx.Tx) error {
	version := 0
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('ws_schema') IS NOT NULL").Scan(&exists); err != nil {
		return err
	}
	if exists {
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM ws_schema").Scan(&version); err != nil {
			return err
		}
	}
	if version > schema.Version {
		return fmt.Errorf("version %d of the tables %w", version, errNewerSchema)
	}
	if !d.config.CreateSchema {
		return nil
	}
	options, err := d.options(ctx, tx)
	if err != nil {
		return err
	}
	text := schema.Policies(options)
	if version == 0 {
		text = schema.Create(options) + text
		d.logger.Info("Creating the tables", zap.Bool("timescaledb", options.Timescale), zap.Duration("retention", options.Retention))
		if !options.Timescale {
			d.logger.Warn("The database has no extension timescaledb: the tables are partitioned by day, without compression and without hourly aggregates")
		}
	}
	_, err = tx.Conn().PgConn().Exec(ctx, text).ReadAll() // several statements
	return err
}

// options are what the database offers. Creating an extension needs a privilege that the user may lack.
func (d *database) options(ctx context.Context, tx pgx.Tx) (schema.Options, error) {
	o := schema.Options{Retention: d.config.Retention}
	var available, installed bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb'),
		EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')`).Scan(&available, &installed)
	if err != nil {
		return o, err
	}
	if available && !installed {
		err = pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			_, err := inner.Exec(ctx, "CREATE EXTENSION timescaledb")
			return err
		})
		if err != nil {
			d.logger.Warn("The server has the extension timescaledb, which this user cannot create in the database; an administrator can: CREATE EXTENSION timescaledb", zap.Error(err))
		}
		installed = err == nil
	}
	if o.Timescale = installed; installed {
		err = tx.QueryRow(ctx, "SELECT coalesce(current_setting('timescaledb.license', true), 'timescale') = 'timescale'").Scan(&o.Policies)
	}
	return o, err
}

// expireHourly deletes the partitions of plain PostgreSQL; TimescaleDB has a job of its own.
func (d *database) expireHourly() {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		if err := d.expire(d.lifetime, time.Now()); err != nil && d.lifetime.Err() == nil {
			d.logger.Warn("Cannot delete expired partitions; retrying in an hour", zap.Error(err))
		}
		select {
		case <-ticker.C:
		case <-d.lifetime.Done():
			return
		}
	}
}

func (d *database) expire(ctx context.Context, now time.Time) error {
	for _, table := range schema.Tables {
		found, err := d.pool.Query(ctx, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass", table)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, name := range names {
			p, ok := schema.ParsePartition(table, name)
			if !ok || !p.ExpiredAt(now, d.config.Retention) {
				continue
			}
			if err := d.drop(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// drop waits for locks for a few seconds only: while it waits, so do all who write.
func (d *database) drop(ctx context.Context, p schema.Partition) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.present, p)
	err := d.locked(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '3s'"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+p.Name())
		return err
	})
	if err == nil {
		d.logger.Info("Partition deleted: all its rows are older than the retention", zap.String("partition", p.Name()))
	}
	return err
}
