package main

import (
	"fmt"
	"math/big"
	"math/rand"
	"os"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark/backend/groth16"
	"github.com/consensys/gnark/frontend"
	"github.com/consensys/gnark/frontend/cs/r1cs"
)

// squares is the bench circuit: m_i = (m_{i-1} - k_{i-1})^2, so that constraint i squares x_i and every wire is as wide as its x_i.
type squares struct {
	X0  frontend.Variable
	Out frontend.Variable `gnark:",public"`
	K   []*big.Int        `gnark:"-"`
}

func (c *squares) Define(api frontend.API) error {
	x := c.X0
	for _, k := range c.K {
		x = api.Sub(api.Mul(x, x), k)
	}
	api.AssertIsEqual(x, c.Out)
	return nil
}

// witnessOf draws x_0..x_n and the constants that lead from each square to the next.
func witnessOf(kind string, n int) (x []*big.Int, k []*big.Int) {
	rng := rand.New(rand.NewSource(2))
	r := fr.Modulus()
	x = make([]*big.Int, n+1)
	for i := range x {
		if kind == "random" {
			x[i] = new(big.Int).Rand(rng, r)
		} else {
			x[i] = big.NewInt(int64(rng.Intn(16)))
		}
	}
	k = make([]*big.Int, n)
	for i := range k {
		square := new(big.Int).Mul(x[i], x[i])
		k[i] = square.Sub(square, x[i+1]).Mod(square, r)
	}
	return x, k
}

func prover(name, kind string, n int) {
	n -= 2                       // the rows that other provers add for their inputs
	x, k := witnessOf(kind, n-1) // AssertIsEqual is the last constraint
	system, err := frontend.Compile(ecc.BN254.ScalarField(), r1cs.NewBuilder, &squares{K: k})
	check(err)
	setup := func() (groth16.ProvingKey, groth16.VerifyingKey) {
		pk, vk, err := groth16.Setup(system)
		check(err)
		return pk, vk
	}
	pk, vk := setup()
	if name == "setup" {
		serve("", func() report { return timed(func() { setup() }) })
		return
	}
	witness, err := frontend.NewWitness(&squares{X0: x[0], Out: x[n-1]}, ecc.BN254.ScalarField())
	check(err)
	public, err := witness.Public()
	check(err)
	prove := func() groth16.Proof {
		proof, err := groth16.Prove(system, pk, witness)
		check(err)
		return proof
	}
	proof := prove()
	verify := func() { check(groth16.Verify(proof, vk, public)) }
	verify()
	switch name {
	case "groth16":
		// Prove solves the circuit first. That is not a prover's work, so its time, measured beside it, is taken off.
		serve("", func() report {
			solving := timed(func() { _, err := system.Solve(witness); check(err) })
			proving := timed(func() { prove() })
			return report{proving.Seconds - solving.Seconds, solving.Seconds}
		})
	case "verify":
		serve("", func() report { return timed(verify) })
	default:
		fmt.Fprintln(os.Stderr, "no case", name)
		os.Exit(2)
	}
}
