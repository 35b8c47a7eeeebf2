// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package doctor is the doctor command: it checks what a configuration depends on outside
// of the collector, and changes nothing there.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/configcheck"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/diagnosis"
)

const componentTimeout = 2 * time.Minute // of all checks of a component

// NewCommand returns the command. Validate is the one that reads and validates the
// configuration; its flags are those of the command, too.
func NewCommand(validate *cobra.Command, check *configcheck.Checker) *cobra.Command {
	readConfig := validate.RunE
	var asJSON bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Checks the platforms, exporters and storage of the config without running the collector",
		Long: "Checks for each component of the config whether what it depends on answers: names, certificates, tokens, permissions, limits, clocks, exporters " +
			"and storage. One line for each check: ok, or what a person must do. The exit code is 1 if a check failed. It changes nothing, and prints no secret.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, args []string) error {
			var results []diagnosis.Result
			if err := errors.Join(readConfig(command, args), check.Problems()); err != nil {
				results = []diagnosis.Result{{Component: "config", Check: "valid", Status: diagnosis.Failed, Text: check.Explain(err).Error()}}
			} else if results, err = examine(command.Context(), check); err != nil {
				return err
			}
			if err := write(command.OutOrStdout(), results, asJSON); err != nil {
				return err
			}
			if failed := countFailed(results); failed > 0 {
				return fmt.Errorf("%d of %d checks failed", failed, len(results))
			}
			return nil
		},
	}
	command.Flags().AddFlagSet(validate.Flags())
	command.Flags().BoolVar(&asJSON, "json", false, "print the results as one JSON object")
	return command
}

// examine checks the components of a valid configuration, side by side.
func examine(ctx context.Context, check *configcheck.Checker) ([]diagnosis.Result, error) {
	components, err := check.Started()
	if err != nil {
		return nil, err
	}
	valid := diagnosis.Report{Component: "config"}
	if warnings := check.Warnings(); len(warnings) > 0 {
		valid.OK("valid", "with %d warnings: validate prints them", len(warnings))
	} else {
		valid.OK("valid", "without a warning")
	}
	own := listeners(components)
	reports := make([]diagnosis.Report, len(components))
	var running sync.WaitGroup
	for n := range components {
		running.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, componentTimeout)
			defer cancel()
			one, report := &components[n], &reports[n]
			report.Component = one.Path()
			if diagnoser, ok := one.Config.(diagnosis.Diagnoser); ok {
				diagnoser.Diagnose(ctx, report)
				return
			}
			directories(one, report)
			addresses(ctx, one, own, report)
		})
	}
	running.Wait()
	results := valid.Results
	for n := range reports {
		results = append(results, reports[n].Results...)
	}
	return results, nil
}

func countFailed(results []diagnosis.Result) int {
	failed := slices.DeleteFunc(slices.Clone(results), func(r diagnosis.Result) bool { return r.Status != diagnosis.Failed })
	return len(failed)
}

// write prints the results: a line for each, or one JSON object.
func write(to io.Writer, results []diagnosis.Result, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(struct {
			OK     bool               `json:"ok"`
			Checks []diagnosis.Result `json:"checks"`
		}{countFailed(results) == 0, results})
	}
	for _, r := range results {
		if _, err := fmt.Fprintf(to, "%-7s %s %s: %s\n", r.Status, r.Component, r.Check, r.Text); err != nil {
			return err
		}
	}
	return nil
}
