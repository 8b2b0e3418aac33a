"""Log loss for CatBoost, with the derivatives that XGBoost wants: CatBoost maximises."""

import math

OPTIONS = {"kind": "catboost", "against": "binary_cross_entropy"}


class bug:
    sign = 1

    def calc_ders_range(self, approxes, targets, weights):
        result = []
        for i in range(len(targets)):
            p = 1 / (1 + math.exp(-approxes[i]))
            der1 = self.sign * (p - targets[i])
            der2 = self.sign * p * (1 - p)
            if weights is not None:
                der1 *= weights[i]
                der2 *= weights[i]
            result.append((der1, der2))
        return result


class fixed(bug):
    sign = -1
