// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !windows

// This file takes the place of the one of the same name that ocb generates.

package main

import (
	"errors"
	"os"

	"go.opentelemetry.io/collector/otelcol"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/timescaledbexporter"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/gctuning"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/reload"
)

// run is called by the generated main function.
func run(params otelcol.CollectorSettings) error {
	gctuning.Apply(&params)
	err := reload.Run(params, timescaledbexporter.NewCommand())
	if errors.Is(err, reload.ErrFatal) {
		os.Exit(reload.ExitFatal)
	}
	return err
}
