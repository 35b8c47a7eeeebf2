// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package timescaledbexporter

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/timescaledbexporter/internal/schema"
)

// NewCommand makes the command that prints the tables, for an administrator who creates them where the user of the
// collector may not.
func NewCommand() *cobra.Command {
	var printSchema, plain bool
	options := schema.Options{Timescale: true, Policies: true}
	command := &cobra.Command{
		Use:   "timescaledb --print-schema",
		Short: "Prints the tables of the timescaledb exporter as SQL",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			switch {
			case !printSchema:
				return errors.New("--print-schema is missing; it is all that this command does")
			case options.Retention != 0 && options.Retention < minRetention:
				return errors.New("--retention: must be 0 or at least 24h")
			}
			options.Timescale, options.Policies = !plain, !plain
			_, err := command.OutOrStdout().Write([]byte(schema.Print(options)))
			return err
		},
	}
	command.Flags().BoolVar(&printSchema, "print-schema", false, "print the SQL of the tables and end")
	command.Flags().BoolVar(&plain, "plain", false, "for PostgreSQL without the extension timescaledb")
	command.Flags().DurationVar(&options.Retention, "retention", 90*24*time.Hour, "age at which rows are deleted; 0 keeps them")
	return command
}
