// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package diagnosis holds the results of the doctor command. A component that has checks
// of its own implements Diagnoser on its configuration.
package diagnosis

import (
	"context"
	"fmt"
)

// Status is the outcome of a check.
type Status string

// The outcomes of a check.
const (
	OK      Status = "ok"
	Failed  Status = "failed"  // the text says what a person must do
	Skipped Status = "skipped" // not checked; the text says why
)

// Result is the outcome of one check of a component. The text has no secret.
type Result struct {
	Component string `json:"component"` // as receivers::ccaas_ws
	Check     string `json:"check"`
	Status    Status `json:"status"`
	Text      string `json:"text"`
}

// Diagnoser is a configuration that can check what its component depends on, such as a
// platform. The checks change nothing there. They end with the context.
type Diagnoser interface {
	Diagnose(ctx context.Context, to *Report)
}

// Report collects the results of one component, in order. It is not safe for concurrent use.
type Report struct {
	Component string
	Results   []Result
}

// OK adds a check that found nothing to do.
func (r *Report) OK(check, format string, arguments ...any) { r.add(check, OK, format, arguments) }

// Failed adds a check that found something to do.
func (r *Report) Failed(check, format string, arguments ...any) {
	r.add(check, Failed, format, arguments)
}

// Skipped adds a check that was not made.
func (r *Report) Skipped(check, format string, arguments ...any) {
	r.add(check, Skipped, format, arguments)
}

func (r *Report) add(check string, status Status, format string, arguments []any) {
	r.Results = append(r.Results, Result{Component: r.Component, Check: check, Status: status, Text: fmt.Sprintf(format, arguments...)})
}
