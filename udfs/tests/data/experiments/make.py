"""Random experiments and what scipy and statsmodels find: `pip install scipy statsmodels`, then `python make.py`.

data.csv has a row a person; expected.csv has a line a number: test, field, value. The mixture ratio of msprt is integrated numerically.
"""

import numpy as np
from scipy import integrate, stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

random = np.random.default_rng(20261126)
arm = random.choice(["a", "b"], 300, p=[0.45, 0.55])
x = np.round(random.gamma(2.0, 40.0, 300), 2)
y = np.round(1e4 + 0.8 * x + random.normal(0, 25, 300) + np.where(arm == "b", 9.0, 0.0), 2)
success = random.random(300) < np.where(arm == "b", 0.36, 0.24)
with open("data.csv", "w") as file:
    file.write("arm,success,y,x\n")
    file.writelines(f"{arm[i]},{str(success[i]).lower()},{y[i]},{x[i]}\n" for i in range(300))

lines = []
a, b = arm == "a", arm == "b"
counts, sizes = np.array([success[b].sum(), success[a].sum()]), np.array([b.sum(), a.sum()])
z, p = proportions_ztest(counts, sizes)
lo, hi = confint_proportions_2indep(counts[0], sizes[0], counts[1], sizes[1], method="wald", compare="diff")
lines += [("ab_ztest", name, value) for name, value in [("statistic", z), ("p_value", p), ("lo", lo), ("hi", hi)]]


def welch(test, treated, control):
    found = stats.ttest_ind(treated, control, equal_var=False)
    lo, hi = CompareMeans(DescrStatsW(treated), DescrStatsW(control)).tconfint_diff(usevar="unequal")
    fields = [("statistic", found.statistic), ("p_value", found.pvalue), ("df", found.df), ("lo", lo), ("hi", hi)]
    lines.extend((test, name, value) for name, value in fields)
    lines.append((test, "lift", (treated.mean() - control.mean()) / control.mean()))


welch("welch_ttest", y[b], y[a])
theta = np.cov(x, y)[0, 1] / x.var(ddof=1)
adjusted = y - theta * (x - x.mean())
welch("cuped_ttest", adjusted[b], adjusted[a])
lines.append(("cuped_ttest", "theta", theta))

tau2 = 30.0
variance = y[a].var(ddof=1) / a.sum() + y[b].var(ddof=1) / b.sum()
diff = y[b].mean() - y[a].mean()


def mixture(at):
    density = lambda theta: stats.norm.pdf(at, theta, variance**0.5) * stats.norm.pdf(theta, 0, tau2**0.5)
    return integrate.quad(density, -200, 200, points=[0, at], epsabs=0, epsrel=1e-12)[0] / stats.norm.pdf(at, 0, variance**0.5)


ratio = mixture(diff)
lines += [("msprt", "statistic", np.log(ratio)), ("msprt", "p_value", min(1.0, 1 / ratio))]
# The bound is where the ratio of a difference to the truth reaches 20.
from scipy.optimize import brentq

half = brentq(lambda at: np.log(mixture(at)) - np.log(20), 0.1, 60, xtol=1e-11)
lines += [("msprt", "lo", diff - half), ("msprt", "hi", diff + half)]
for name, shares in [("srm_test", [0.5, 0.5]), ("srm_test_meant", [0.4, 0.6])]:
    found = stats.chisquare([a.sum(), b.sum()], 300 * np.array(shares))
    lines += [(name, "chi2", found.statistic), (name, "p_value", found.pvalue)]
with open("expected.csv", "w") as file:
    file.write("test,field,value\n")
    file.writelines(f"{test},{field},{float(value)!r}\n" for test, field, value in lines)
